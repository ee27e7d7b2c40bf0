"""Home page of a project."""
