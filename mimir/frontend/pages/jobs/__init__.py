"""List of a project's jobs."""
