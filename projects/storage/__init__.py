"""Artifact storage: a folder or a bucket behind one module, with its quota and clean-up.

`artifacts` is the interface: every other package reads and writes stored objects through it.
`bucket`, `bucket_reader` and `bucket_faults` implement the S3 storage and are the only users of
boto3. `quota` limits stored bytes and projects, `references` and `sweep` find and delete objects
that no row refers to. Code that parses the content of files belongs in `projects.parsing`.
"""
