"""The worker: one process that claims one job, runs it, reports, and exits.

Imports `jobs.contract` and `mimir.lib` only: no Django, no server code. The supervisor (`__main__`, `supervisor` and what they import)
uses the standard library alone, so that it starts in milliseconds and survives whatever user code does to its own process.
"""
