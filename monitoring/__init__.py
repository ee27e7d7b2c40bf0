"""What the orchestrator says of itself: readiness, and later metrics and the system view.

Law: reads others, is imported by nobody but the composition root.
"""
