"""Pages of datasets: list, one dataset, its versions and columns."""
