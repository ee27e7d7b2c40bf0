"""Django settings: one module per role, and `test` for pytest. Values come from `mimir.env`."""
