"""Page of API tokens."""
