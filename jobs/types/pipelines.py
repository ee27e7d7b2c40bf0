"""`pipeline_execution`: each output becomes a dataset version."""

import re
from typing import Any

from jobs.models import Attempt, Job
from jobs.types.base import check_dataset, refused_protocol, write_dataset

_STEP_FIELDS = ("id", "uses", "status", "seconds", "rows")


def prepare(job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    """The outputs, each with its artifact, and the steps' facts. Raises: OutcomeRefused."""
    outputs = result.get("outputs", [])
    if not isinstance(outputs, list):
        raise refused_protocol("outputs has to be a list")
    return {
        "outputs": [check_dataset(attempt, output) for output in outputs],
        "steps": _steps(result.get("steps", [])),
    }


def apply(job: Job, attempt: Attempt, prepared: dict[str, Any]) -> dict[str, Any]:
    """Raises: OutcomeRefused."""
    outputs = prepared["outputs"]
    # By name: two jobs that write the same datasets take their locks in one order, and none waits for the other for ever.
    made = {
        id(output): write_dataset(job, output)
        for output in sorted(outputs, key=lambda output: str(output["dataset"]))
    }
    datasets = [
        {"name": output["dataset"], "version": made[id(output)].number} for output in outputs
    ]
    return {"datasets": datasets, "steps": prepared["steps"]}


def _steps(steps: object) -> list[dict[str, Any]]:
    """The steps' facts, of the known fields and kinds only."""
    if not isinstance(steps, list):
        return []
    return [
        {
            key: step[key]
            for key in _STEP_FIELDS
            if isinstance(step.get(key), str | int | float | None)
        }
        for step in steps[:1000]
        if isinstance(step, dict) and re.fullmatch(r"[A-Za-z0-9_]{1,64}", str(step.get("id", "")))
    ]
