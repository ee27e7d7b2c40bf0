"""Benchmarks with a baseline measured in the same run: `make bench ARGS="start api"`.

They print figures and assert nothing.
"""
