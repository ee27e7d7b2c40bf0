"""Shared helpers of the tests: rows, a simulated worker, a real installation on free ports.

The modules contain no tests; tests never import other tests.
"""
