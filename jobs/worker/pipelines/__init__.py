"""`pipeline_execution` in the workload process. Tables are Parquet files in the scratch folder.

`runner` runs the steps in order; `steps/` has one module per step type; `tables` gives DuckDB
access to the tables of a run, and to nothing else. Mimir's own code writes only to the scratch
folder.
"""
