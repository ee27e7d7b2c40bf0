"""WebSockets: live updates of one job and of a project's jobs."""
