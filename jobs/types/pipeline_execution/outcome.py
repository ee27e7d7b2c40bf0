"""Outcome of `pipeline_execution`: each output becomes a dataset version."""

import re
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from jobs.models import Attempt, Job
from jobs.types.outcome import (
    CreatedVersion,
    CreatedVersionBody,
    DatasetOutput,
    JobResult,
    StepResultBody,
    check_dataset,
    refused_protocol,
    write_dataset,
)
from mimir.lib.json_types import JsonObject
from mimir.lib.json_values import is_number, is_whole

STEPS_MAX = 1000
_STEP_ID = re.compile(r"[A-Za-z0-9_]{1,64}")


class StepResult(serializers.Serializer[Any]):
    """A step in a public result."""

    id = serializers.CharField()
    uses = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    seconds = serializers.FloatField(required=False, allow_null=True)
    rows = serializers.IntegerField(required=False, allow_null=True)


class PipelineExecutionResult(serializers.Serializer[Any]):
    """Public result of a job."""

    datasets = CreatedVersion(many=True)
    steps = StepResult(many=True)


RESULT = PipelineExecutionResult


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """Checked outputs, and the known fields of each step."""

    outputs: list[DatasetOutput]
    steps: list[StepResultBody]


def prepare(job: Job, attempt: Attempt, result: JsonObject) -> PipelineResult:
    """Return the outputs with their artifacts, and the steps. Raises: OutcomeRefused."""
    outputs = result.get("outputs", [])
    if not isinstance(outputs, list):
        raise refused_protocol("outputs must be a list")
    return PipelineResult(
        outputs=[check_dataset(attempt, output) for output in outputs],
        steps=_steps(result.get("steps", [])),
    )


def apply(job: Job, attempt: Attempt, prepared: PipelineResult) -> JobResult:
    """Write the dataset versions. Raises: OutcomeRefused."""
    # Sorted by name: jobs that write the same datasets lock them in the same order, which
    # prevents a deadlock.
    versions = {
        id(output): write_dataset(job, output)
        for output in sorted(prepared.outputs, key=lambda output: output["dataset"])
    }
    datasets: list[CreatedVersionBody] = [
        {"name": output["dataset"], "version": versions[id(output)].number}
        for output in prepared.outputs
    ]
    return {"datasets": datasets, "steps": prepared.steps}


def _steps(steps: object) -> list[StepResultBody]:
    """Return the known fields of each step with an id. Values of other types are dropped."""
    if not isinstance(steps, list):
        return []
    found = [_step(step) for step in steps[:STEPS_MAX] if isinstance(step, dict)]
    return [step for step in found if step is not None]


def _step(step: JsonObject) -> StepResultBody | None:
    identity = step.get("id")
    if not isinstance(identity, str) or not _STEP_ID.fullmatch(identity):
        return None
    known: StepResultBody = {"id": identity}
    if isinstance(uses := step.get("uses"), str):
        known["uses"] = uses
    if isinstance(status := step.get("status"), str):
        known["status"] = status
    seconds, rows = step.get("seconds"), step.get("rows")
    if "seconds" in step and (seconds is None or is_number(seconds)):
        known["seconds"] = seconds
    if "rows" in step and (rows is None or is_whole(rows)):
        known["rows"] = rows
    return known
