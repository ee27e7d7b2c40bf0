"""Sessions and API tokens: sign in and out, your own password and sessions.

`read` holds the queries; `write` creates, identifies and ends tokens; `api` and `account_api` are
the REST views. Passwords and lockout are in `projects.users`.
"""
