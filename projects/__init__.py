"""Projects and their contents: members, datasets, pipelines, models and twins.

One package per noun over a core. In each package `read` holds queries, `write` the writes, `api`
the REST views and `shapes` the bodies. `models/` holds the Django models of all packages; the noun
"model" (a trained model) is in `model_registry`.

Guarded objects are fetched through `core.access` only. This app does not import jobs: jobs register
the links between versions and the jobs that created or read them.
"""
