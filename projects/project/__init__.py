"""The project itself: create, update, list. Its contents have packages of their own."""
