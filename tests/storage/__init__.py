"""Objects in the artifact storage and the rows that point at them."""
