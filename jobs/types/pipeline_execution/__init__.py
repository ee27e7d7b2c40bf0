"""`pipeline_execution`: run a pipeline; its outputs become dataset versions."""
