"""WebSockets: the live view of one job and of a project's jobs."""
