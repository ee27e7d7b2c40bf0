"""`ml_inference`: apply a model version to a dataset version."""
