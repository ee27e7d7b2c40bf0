"""Pages of pipelines: list, editor and graph."""
