"""Queries over the whole installation. They only read; their number is constant."""
