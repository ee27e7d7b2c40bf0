"""Page of one's own password and sessions."""
