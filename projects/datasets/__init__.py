"""Datasets, their versions, uploads and column profiles.

`uploads` stages a file and `upload_versions` accepts it as a version; files are parsed in
`projects.parsing` only.
"""
