"""Users: administration, passwords, sign-in backends, lockout and hashing."""
