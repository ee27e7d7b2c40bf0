"""The REST API of projects and what they hold, of sign-in and of tokens."""
