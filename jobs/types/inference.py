"""`ml_inference`: the predictions become a dataset version."""

from typing import Any

from jobs.models import Attempt, Job
from jobs.types.base import check_dataset, refused_protocol, write_dataset


def prepare(job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    """The one output, which has to be the one that was asked for. Raises: OutcomeRefused."""
    output = check_dataset(attempt, result.get("output"))
    if output["dataset"] != job.parameters["output"]:
        raise refused_protocol("it names another dataset than the job's output")
    return output


def apply(job: Job, attempt: Attempt, prepared: dict[str, Any]) -> dict[str, Any]:
    """Raises: OutcomeRefused."""
    version = write_dataset(job, prepared)
    return {
        "datasets": [{"name": prepared["dataset"], "version": version.number}],
        "rows": prepared["row_count"],
    }
