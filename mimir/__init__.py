"""Mimir AIP: composition of the two roles, and the code that both share.

`settings`, `urls_*`, `asgi_*` and `serve` put the applications together; `frontend` serves the
pages; `dev` runs an installation on one machine; `lib`, `env`, `api` and `health` are the base.
Only the composition knows jobs and projects.
"""
