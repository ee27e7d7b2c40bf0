"""Page of the user's own password and sessions."""
