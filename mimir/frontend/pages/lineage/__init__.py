"""Lineage of a version: what it was made from and what was made from it."""
