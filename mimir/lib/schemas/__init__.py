"""Definitions and parameters users write, checked by one source for the API, the pages and the worker.

Law: pure functions from a value to a list of faults, each with the path of the bad field. No Django, no I/O.
"""
