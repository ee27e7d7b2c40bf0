"""The composition root of Mimir AIP: settings, URLs, ASGI applications, and what every room may use (`lib`).

Law: nothing here knows what a job or a project is, but `urls_*`, `asgi_*` and `settings`, which put the rooms together.
"""
