"""Heartbeats of our own processes: web, dispatcher and reconciler."""
