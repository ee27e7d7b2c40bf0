"""The two HTTP APIs of jobs: the public one for people and programs, the worker's for attempts.

A view checks the body and the permission, calls one function and serialises the answer. Views
hold no transaction and no rule.
"""
