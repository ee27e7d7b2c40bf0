"""Parsing of what users upload, outside web: `runner` starts one bounded child process for each file, `child` is that process.

Law: no Django and no model in here. `child` imports the standard library, DuckDB and `mimir.lib.tables`; nobody imports `child`.
"""
