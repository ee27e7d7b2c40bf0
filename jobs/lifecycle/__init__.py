"""Writes during a job's life: submit, claim, report, finish, cancel, retry and retention.

Functions have keyword-only arguments and short transactions without network calls. Events and
hints are published on commit. Imported by the APIs, the reconciler and the commands.
"""
