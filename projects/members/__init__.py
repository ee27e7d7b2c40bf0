"""Members of a project and their roles.

`read` holds the queries; `write` changes memberships under the project's row lock. Checks of a role
are in `core.access`.
"""
