"""Objects in the artifact storage, and the rows that refer to them."""
