"""Reads of the whole installation, over the rows of every room. Law: nothing here writes; the number of statements never grows with rows."""
