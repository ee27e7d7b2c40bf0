"""Library of every process: no Django, only the standard library and structlog.

A module here is used by at least two packages and knows none of them.
"""
