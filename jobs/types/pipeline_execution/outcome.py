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
    check_dataset,
    refused_protocol,
    write_dataset,
)
from mimir.lib.json_types import JsonObject

STEPS_MAX = 1000
_STEP_FIELDS = ("id", "uses", "status", "seconds", "rows")


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
    steps: list[dict[str, str | int | float | None]]


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


def _steps(steps: object) -> list[dict[str, str | int | float | None]]:
    """Return the known fields of each step. Values of other types are dropped."""
    if not isinstance(steps, list):
        return []
    return [
        {
            key: step[key]
            for key in _STEP_FIELDS
            if key in step and isinstance(step[key], str | int | float | None)
        }
        for step in steps[:STEPS_MAX]
        if isinstance(step, dict) and re.fullmatch(r"[A-Za-z0-9_]{1,64}", str(step.get("id", "")))
    ]
