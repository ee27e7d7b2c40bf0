"""Clusters on which workers run: their rows, checks, changes and launchers.

`listing` reads, `rows` and `edit` write, `check` tests a connection, `launchers` starts, lists
and ends workers.
"""
