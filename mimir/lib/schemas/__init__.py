"""Schemas and checks of definitions and parameters, shared by API, pages and worker.

Pure functions from a value to a list of faults, each with the path of its field. No Django, no I/O.
"""
