"""Sessions and API tokens: sign in and out, one's own password and sessions."""
