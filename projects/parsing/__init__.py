"""Parsing of uploaded files and SQL outside the server process.

`runner` reads table files and `definition_check` checks pipeline definitions. Both run `child` in a
process with limits of time and memory (`child_process`, `slots`). `child` and the modules that it
imports (`sandbox`, `binding`, `bind_errors`, `column_facts`, `column_profile`, `definition_child`)
run in that process only: no server module imports them. Nothing here imports Django or its models.
"""
