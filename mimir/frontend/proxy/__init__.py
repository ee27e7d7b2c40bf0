"""Streaming proxy to the orchestrator for `/api`, `/ws` and `/admin`.

`application` is the ASGI application in front of Django; `rules` is pure.
"""
