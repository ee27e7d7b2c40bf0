"""Pages of users, for administrators."""
