"""Outcome of `ml_training`: the trained model becomes a model version."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from rest_framework import serializers

from jobs.contract import ArtifactRole
from jobs.models import Artifact, Attempt, Job, JobOutput
from jobs.types.ml_training.report import report_fault
from jobs.types.outcome import JobResult, artifact_of, read_json, refused_input, refused_protocol
from mimir.lib.errors import MimirError
from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.training_report import TrainingReport
from projects.model_registry.write import model_version_from_job
from projects.models import DatasetVersion

REPORT_BYTES_MAX = 4 * 1024 * 1024


class MlTrainingResult(serializers.Serializer[Any]):
    """Public result of a job."""

    model = serializers.CharField()
    version = serializers.IntegerField()
    metrics = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="On the held-out part."
    )
    baseline = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="The same metrics of a trivial model.",
    )


RESULT = MlTrainingResult


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The model's artifact and its checked report."""

    artifact: Artifact
    report: TrainingReport


def prepare(job: Job, attempt: Attempt, result: JsonObject) -> TrainedModel:
    """Return the model's artifact and its checked report. Raises: OutcomeRefused."""
    artifact = artifact_of(attempt, result.get("artifact"), ArtifactRole.MODEL)
    report = read_json(
        artifact_of(attempt, result.get("report"), ArtifactRole.MODEL), bytes_max=REPORT_BYTES_MAX
    )
    fault = report_fault(report, job.parameters)
    if fault:
        raise refused_protocol(f"its report {fault}")
    return TrainedModel(artifact, cast("TrainingReport", report))


def apply(job: Job, attempt: Attempt, prepared: TrainedModel) -> JobResult:
    """Write the model version. Raises: OutcomeRefused."""
    artifact, report = prepared.artifact, prepared.report
    row = next(row for row in job.inputs if row["kind"] == "dataset")
    try:
        version = model_version_from_job(
            project=job.project,
            name=job.parameters["model"],
            storage_key=artifact.storage_key,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            training_data=DatasetVersion.objects.get(id=UUID(row["id"])),
            report=report,
            user=job.created_by,
        )
    except MimirError as error:
        raise refused_input(error) from error
    JobOutput.objects.create(job=job, model_version=version)
    return {
        "model": job.parameters["model"],
        "version": version.number,
        "metrics": report["metrics"],
        "baseline": report["baseline"],
    }
