"""REST API of the installation, for administrators. Each view calls one selector."""
