"""The frontend role: pages made from the orchestrator's REST API, and the streaming proxy for `/api`, `/ws` and `/admin`.

Law: it has no database, no Redis and no state but signed cookies. It imports Django, httpx, websockets and `mimir.{env,lib}`, never
`jobs`, `projects`, `monitoring`, `mimir.api`, DRF or Channels: what it knows of a job, the API told it. Only `mimir.asgi_frontend`,
`mimir.urls_frontend` and `mimir.settings.frontend` import it.

- `client`: the typed API client that pages use; `session`: signing in and out, and who is signed in
- `proxy`, `proxy_http`, `proxy_ws`, `proxy_rules`: ASGI in front of Django, without buffering
- `middleware`, `errors`: the pages' headers, and a page for everything that goes wrong
- `readiness`: what `/ready` says of the orchestrator
- `pages`, `urls`: the pages
"""
