"""Datasets, their versions, uploads and column profiles.

`read`, `profile` and `uploads_read` hold queries; `write` allocates version numbers;
`versions_write` chooses the current version and deletes; `uploads_write` stages a file and
`upload_storage` turns it into a version. Parsing of files belongs in `projects.parsing`, stored
objects in `projects.storage`. Twins, models and pipelines may import `read`; `write` is for the
results of jobs.
"""
