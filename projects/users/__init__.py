"""Users: administration, passwords, sign-in backends, lockout and hashing.

`read` holds the queries; `write` and `passwords` change users; `hashing` limits concurrent password
hashes; `lockout` limits wrong passwords. Sessions and API tokens are in `projects.tokens`.
"""
