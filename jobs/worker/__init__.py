"""The worker process: claims one job, runs it, reports and exits.

Imports only `jobs.contract` and `mimir.lib`: no Django, no server code. The supervisor (`__main__`,
`supervisor` and their imports) uses only the standard library, and `cryptography` to cache a model:
it starts in milliseconds and survives anything that user code does to its own process.
"""
