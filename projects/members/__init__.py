"""Members of a project and their roles.

`write` changes memberships under the project's row lock. Checks of a role are in `core.access`.
"""
