"""Page of a project's members."""
