"""Lineage of a version: its sources and the results made from it."""
