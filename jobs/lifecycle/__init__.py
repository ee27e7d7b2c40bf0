"""Writes over a job's life: submit, resolve inputs, claim, report, finish, cancel, retry, retention.

Keyword-only arguments and short transactions without network calls; events and hints are
published on commit. Imported by the APIs, the reconciler and the commands.
"""
