"""Pages that compare two jobs of a project."""
