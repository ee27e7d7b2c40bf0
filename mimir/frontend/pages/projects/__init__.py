"""Pages of projects: list, create, settings."""
