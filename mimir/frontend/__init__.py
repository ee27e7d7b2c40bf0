"""Frontend role: pages rendered from the REST API, and the proxy for `/api`, `/ws`, `/admin`.

The frontend has no database and no Redis; its only state is signed cookies. It imports Django,
httpx, websockets and `mimir.{env,lib,health}`, never `jobs`, `projects`, `monitoring`, `mimir.api`,
DRF or Channels: everything it knows about a job comes from the API. Only `mimir.asgi_frontend`,
`mimir.urls_frontend` and `mimir.settings.frontend` import it.

- `api_client`: API client of the pages; `api_types`: shapes of its answers
- `session`, `saved_form`: sign in and out; keep a posted form when a session ends
- `proxy`: ASGI application in front of Django that streams requests to the orchestrator
- `https`, `middleware`, `error_pages`: TLS rules, page headers, error pages
- `readiness`: the orchestrator check of `/ready`
- `pages`, `page_urls`: the pages, one package per feature, and their addresses
- `schema_form`, `forms`: forms from a JSON schema, and plain forms
- `drawing`, `formatting`, `template_tags`: plots, numbers and dates for people, template tags
"""
