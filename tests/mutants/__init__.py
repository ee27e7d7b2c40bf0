"""Mutants: deliberate violations of guarantees.

The named test must fail with an assertion. `make mutants`, or `make mutants ARGS=<part of a name>`.
"""
