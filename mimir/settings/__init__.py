"""One module a role: `orchestrator`, `frontend`, and `test` (the orchestrator's under pytest). All values come from `mimir.env`."""
