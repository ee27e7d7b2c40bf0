"""What success does to the project. Runs inside the transaction that makes the job `succeeded`; never on its own.

A refusal is not an error of the worker's transport: the job fails with the reason given, and nothing of the outcome stays.
"""

import json
import re
from typing import Any, TypeGuard

from django.conf import settings

from jobs.contract import ArtifactRole, FailureReason, JobType
from jobs.models import Artifact, Attempt, Job, JobOutput
from mimir.lib.errors import MimirError
from projects.services import dataset_version_from_job

_COLUMN_MAX = 10_000
_STEP_FIELDS = ("id", "uses", "status", "seconds", "rows")


class OutcomeRefused(Exception):
    """What the worker made cannot be applied. `reason` and `message` become the job's."""

    def __init__(self, reason: FailureReason, message: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.detail = reason, message, detail or {}


def outcome_apply(*, job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    """Apply what `attempt` made to its project; returns the job's public result. Raises: OutcomeRefused."""
    if job.type == JobType.PIPELINE_EXECUTION:
        return _pipeline(job, attempt, result)
    raise OutcomeRefused(FailureReason.PROTOCOL, f"This release applies no outcome of {job.type}.")


def _pipeline(job: Job, attempt: Attempt, result: dict[str, Any]) -> dict[str, Any]:
    outputs = result.get("outputs", [])
    if not isinstance(outputs, list):
        raise _protocol("outputs has to be a list")
    # By name: two jobs that write the same datasets take their locks in one order, and none waits for the other for ever.
    made = {id(output): _dataset(job, attempt, output) for output in sorted(outputs, key=_name_of)}
    public = {"datasets": [made[id(output)] for output in outputs], "steps": _steps(result.get("steps", []))}
    if len(json.dumps(public)) > settings.ENV.result_bytes_max:
        raise _protocol(f"it is larger than {settings.ENV.result_bytes_max} bytes (RESULT_BYTES_MAX)")
    return public


def _name_of(output: object) -> str:
    return str(output.get("dataset")) if isinstance(output, dict) else ""


def _dataset(job: Job, attempt: Attempt, output: object) -> dict[str, Any]:
    """One output as a new dataset version: from an artifact of this very attempt, uploaded with role `dataset`."""
    if not isinstance(output, dict):
        raise _protocol("an output has to be an object")
    name, rows, schema = output.get("dataset"), output.get("row_count"), output.get("schema")
    if not isinstance(name, str) or not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise _protocol("an output has to name its dataset and its row_count")
    if not _is_schema(schema):
        raise _protocol("an output's schema has to be a list of {name, type}")
    artifact = Artifact.objects.filter(attempt=attempt, name=output.get("artifact"), role=ArtifactRole.DATASET).first()
    if artifact is None:
        raise _protocol(f"the data of {name[:200]} was not uploaded")
    try:
        version = dataset_version_from_job(
            project=job.project,
            name=name,
            storage_key=artifact.storage_key,
            format="parquet",
            schema=schema,
            row_count=rows,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            user=job.created_by,
        )
    except MimirError as error:
        raise OutcomeRefused(FailureReason.INVALID_INPUT, error.message, error.detail) from error
    JobOutput.objects.create(job=job, dataset_version=version)
    return {"name": name, "version": version.number}


def _is_schema(schema: object) -> TypeGuard[list[dict[str, Any]]]:
    return (
        isinstance(schema, list)
        and len(schema) <= _COLUMN_MAX
        and all(
            isinstance(column, dict)
            and column.keys() == {"name", "type"}
            and all(isinstance(value, str) and len(value) <= 1000 and "\x00" not in value for value in column.values())
            for column in schema
        )
    )


def _steps(steps: object) -> list[dict[str, Any]]:
    """The steps' facts, of the known fields and kinds only."""
    if not isinstance(steps, list):
        return []
    return [
        {key: step[key] for key in _STEP_FIELDS if isinstance(step.get(key), str | int | float | None)}
        for step in steps[:1000]
        if isinstance(step, dict) and re.fullmatch(r"[A-Za-z0-9_]{1,64}", str(step.get("id", "")))
    ]


def _protocol(what: str) -> OutcomeRefused:
    return OutcomeRefused(FailureReason.PROTOCOL, f"The worker's result cannot be used: {what}.")
