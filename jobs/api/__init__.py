"""The two HTTP APIs of jobs: the public one for people and programs, the worker's for attempts.

Law: a view checks the body and the right, calls one service or selector, answers. No transaction and no rule lives here.
"""
