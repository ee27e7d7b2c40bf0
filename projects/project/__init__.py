"""The project itself: create, update, list."""
