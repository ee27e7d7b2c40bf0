"""Pipelines, their versions and the check of a definition against the project's datasets."""
