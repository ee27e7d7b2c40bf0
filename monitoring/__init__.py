"""State of the installation: readiness, system state, metrics.

It reads other apps. Only the composition (`mimir.settings`, `mimir.urls_*`) imports it.
"""
