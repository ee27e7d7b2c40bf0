"""Projects and what they hold: members, datasets, pipelines and their versions, and who may see them.

Law: everything guarded is fetched through `access.py`. Knows nothing of jobs: what links a version to the job that made or read it
lives in `jobs`. Anybody above may import services, selectors and access; models are for services, selectors, admin and API here, and
for foreign keys of `jobs`.
"""
