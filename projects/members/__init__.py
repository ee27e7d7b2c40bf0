"""Members of a project and their roles."""
