"""Pages of trained models."""
