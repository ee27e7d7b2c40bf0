"""`read`: creates a table from a dataset version, chosen at submit time, or a file at a URL."""

import sys

from jobs.worker.pipelines.inputs import read_dataset, read_file
from jobs.worker.pipelines.run import Run
from mimir.lib.schemas.pipeline import Step


def execute(run: Run, step: Step) -> int | None:
    """Create the step's table and return its number of rows. Raises: WorkFailed."""
    if "dataset" in step.options:
        return read_dataset(run.context, run.tables, step.id)
    return _read_url(run, step)


def _read_url(run: Run, step: Step) -> int | None:
    from jobs.worker.pipelines.fetch import fetch_url

    url, path = str(step.options["url"]), run.tables.path(step.id).with_suffix(".download")
    print(f"mimir: reading {url}", file=sys.stderr, flush=True)
    fetch_url(url, path, allow=run.context.read_url_allow)
    return read_file(run.tables, step.id, path, url, step.options.get("format"))
