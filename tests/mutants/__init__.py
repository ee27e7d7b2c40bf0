"""Each guarantee broken on purpose.

The named test has to fail by an assertion. `make mutants`, or `make mutants ARGS=<part of a name>`.
"""
