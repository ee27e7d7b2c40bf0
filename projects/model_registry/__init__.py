"""Trained models and their versions.

`read` holds queries, `write` records the results of jobs. Training belongs to jobs. The package is
called registry because `projects.models` holds the Django models.
"""
