"""Pipelines, their versions and the check of a definition against the project's datasets.

`read` holds queries, `write` checks and saves. The rules of a definition are in
`mimir.lib.schemas`; SQL is parsed in `projects.parsing`; running a pipeline belongs to jobs.
"""
