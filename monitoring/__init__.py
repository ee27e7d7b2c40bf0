"""What the orchestrator says of itself: readiness, the state of the installation, metrics.

Law: reads others, is imported by nobody but the composition root.
"""
