"""`pipeline_execution` in the workload: one module a kind of step. Tables are Parquet files in scratch, named by their step.

Law: each step imports what it needs when it runs (DuckDB costs a third of a second), and leaves nothing outside scratch.
"""
