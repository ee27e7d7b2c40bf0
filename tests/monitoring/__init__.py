"""The room that reads all others: the state of the installation and its metrics."""
