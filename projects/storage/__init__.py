"""Artifact storage: a folder or a bucket, its keys, quota and clean-up."""
