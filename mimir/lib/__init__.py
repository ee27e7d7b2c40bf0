"""Library for all processes, without Django.

A module here is used by at least two packages and imports none of them.
"""
