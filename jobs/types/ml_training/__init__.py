"""`ml_training`: train a model on a dataset version."""
