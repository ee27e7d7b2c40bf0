"""Outcome of `ml_inference`: the predictions become a dataset version."""

from typing import Any

from rest_framework import serializers

from jobs.models import Attempt, Job
from jobs.types.outcome import (
    CreatedVersion,
    DatasetOutput,
    JobResult,
    check_dataset,
    refused_protocol,
    write_dataset,
)
from mimir.lib.json_types import JsonObject


class MlInferenceResult(serializers.Serializer[Any]):
    """Public result of a job."""

    datasets = CreatedVersion(many=True)
    rows = serializers.IntegerField()


RESULT = MlInferenceResult


def prepare(job: Job, attempt: Attempt, result: JsonObject) -> DatasetOutput:
    """Return the output, which must be the dataset named by the job. Raises: OutcomeRefused."""
    output = check_dataset(attempt, result.get("output"))
    if output["dataset"] != job.parameters["output"]:
        raise refused_protocol("it names another dataset than the job's output")
    return output


def apply(job: Job, attempt: Attempt, prepared: DatasetOutput) -> JobResult:
    """Write the dataset version. Raises: OutcomeRefused."""
    version = write_dataset(job, prepared)
    return {
        "datasets": [{"name": prepared["dataset"], "version": version.number}],
        "rows": prepared["row_count"],
    }
