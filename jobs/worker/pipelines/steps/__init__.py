"""The functions of pipeline steps: one module per type in `mimir.lib.schemas.steps`, same name.

Each has `execute(run: Run, step: Step) -> int | None`: it runs the step and returns the number of
rows of its table, if it has one. It raises `WorkFailed`. It imports slow modules when it is called
(DuckDB takes 0.3 s).
"""
