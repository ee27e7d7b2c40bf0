"""Parsing of what users upload, outside web: `runner` starts one bounded child process for each file, `child` is that process, `profile`
the part of it that describes columns.

Law: no Django and no model in here. `child` and `profile` import the standard library, DuckDB and `mimir.lib`; nobody else imports them.
"""
