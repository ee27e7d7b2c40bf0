"""Admission: which queued job starts next and on which cluster, and why a job waits.

`decide` is pure; `snapshot` reads its input; `admit` applies a decision in one transaction;
`waiting` explains it; `limits` changes the limits of projects and job types.
"""
