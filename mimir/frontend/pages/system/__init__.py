"""State of the installation, for administrators."""
