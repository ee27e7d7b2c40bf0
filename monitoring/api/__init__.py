"""REST of the installation itself. Law: site administrators only; a view calls one selector."""
