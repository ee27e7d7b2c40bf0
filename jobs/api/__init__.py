"""Two HTTP APIs of jobs: the public API for users and programs, and the worker API.

A view validates the body and the permission, calls one function and serialises its result. Views
contain no transactions and no business rules.
"""
