"""Outcome of a successful job: its effect on the project.

`outcome_prepare` checks the worker's result before any transaction. `outcome_apply` writes it in
the transaction that makes the job `succeeded`. The worker's result is untrusted: a type refuses
it with `OutcomeRefused`; then the job fails with that reason and nothing is written.
"""

import json
from importlib import import_module
from typing import IO, Any, NotRequired, Protocol, TypedDict, TypeGuard, TypeVar, cast

from django.conf import settings
from rest_framework import serializers

from jobs.contract import ArtifactRole, FailureReason
from jobs.models import Artifact, Attempt, Job, JobOutput
from jobs.types.registry import job_type_names
from mimir.lib.errors import MimirError
from mimir.lib.json_types import JsonObject
from mimir.lib.table_shapes import ColumnType
from projects.datasets.write import dataset_version_from_job
from projects.models import DatasetVersion
from projects.storage import artifacts

COLUMNS_MAX = 10_000
Prepared = TypeVar("Prepared")


class CreatedVersionBody(TypedDict):
    """A new version of a dataset."""

    name: str
    version: int


class StepResultBody(TypedDict):
    """A step of a pipeline."""

    id: str
    uses: NotRequired[str]
    status: NotRequired[str]
    seconds: NotRequired[float | None]
    rows: NotRequired[int | None]


class JobResult(TypedDict, total=False):
    """Public result of a job. Each type sets the fields of its `RESULT`."""

    datasets: list[CreatedVersionBody]
    steps: list[StepResultBody]
    rows: int
    model: str
    version: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    twin: str
    revision: int
    created: int
    changed: int
    removed: int


class Outcome(Protocol[Prepared]):
    """Interface of a type's module `outcome`.

    `RESULT` describes the public result in the OpenAPI document.
    """

    @property
    def RESULT(self) -> type[serializers.Serializer[Any]]:  # noqa: N802 - a constant of a module
        """Return the serializer of the public result."""

    def prepare(self, job: Job, attempt: Attempt, result: JsonObject) -> Prepared:
        """Return the checked result of the worker. Raises: OutcomeRefused."""

    def apply(self, job: Job, attempt: Attempt, prepared: Prepared) -> JobResult:
        """Write the outcome and return the job's public result. Raises: OutcomeRefused."""


class CreatedVersion(serializers.Serializer[Any]):
    """A dataset version in a public result."""

    name = serializers.CharField()
    version = serializers.IntegerField()


class DatasetOutput(TypedDict):
    """A checked dataset in a result."""

    dataset: str
    artifact: Artifact
    row_count: int
    schema: list[ColumnType]


class OutcomeRefused(Exception):
    """Refusal of a result. `reason` and `message` become the job's."""

    def __init__(
        self, reason: FailureReason, message: str, detail: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.detail = reason, message, detail or {}


def _outcome(job: Job) -> Outcome[Any]:
    return cast("Outcome[Any]", import_module(f"jobs.types.{job.type}.outcome"))


def result_shapes() -> list[type[serializers.Serializer[Any]]]:
    """Return the serializer of each type's public result."""
    return [import_module(f"jobs.types.{name}.outcome").RESULT for name in job_type_names()]


def outcome_prepare(*, job: Job, attempt: Attempt, result: JsonObject) -> Any:
    """Return the checked result of the attempt, for `outcome_apply`. Raises: OutcomeRefused."""
    return _outcome(job).prepare(job, attempt, result)


def outcome_apply(*, job: Job, attempt: Attempt, prepared: Any) -> JobResult:
    """Write the outcome to the project; return the public result. Raises: OutcomeRefused."""
    public = _outcome(job).apply(job, attempt, prepared)
    limit = settings.ENV.result_bytes_max
    if len(json.dumps(public)) > limit:
        raise refused_protocol(f"it is larger than {limit} bytes (RESULT_BYTES_MAX)")
    return public


def refused_protocol(fault: str) -> OutcomeRefused:
    """Return the refusal of a result that violates the worker protocol."""
    return OutcomeRefused(FailureReason.PROTOCOL, f"The worker's result cannot be used: {fault}.")


def refused_input(error: MimirError) -> OutcomeRefused:
    """Return the refusal of a result that the project rejects."""
    return OutcomeRefused(FailureReason.INVALID_INPUT, error.message, error.detail)


def artifact_of(attempt: Attempt, name: object, role: ArtifactRole) -> Artifact:
    """Return an artifact that this attempt uploaded with `role`. Raises: OutcomeRefused."""
    artifact = (
        Artifact.objects.filter(attempt=attempt, name=name, role=role).first()
        if isinstance(name, str)
        else None
    )
    if artifact is None:
        raise refused_protocol(f"its {role} was not uploaded")
    return artifact


def open_artifact(artifact: Artifact) -> IO[bytes]:
    """Open the artifact's file.

    Raises: OutcomeRefused if the file is gone or truncated: a repeated finish would not find it
    either.
    """
    try:
        if artifacts.size(artifact.storage_key) != artifact.size_bytes:
            raise refused_protocol(
                f"{artifact.name} is not the file in the artifact storage that was stored:"
                " its size differs"
            )
        return artifacts.open_file(artifact.storage_key)
    except FileNotFoundError as error:
        raise refused_protocol(f"{artifact.name} is no longer in the artifact storage") from error


def read_json(artifact: Artifact, *, bytes_max: int) -> JsonObject:
    """Return the JSON object in the artifact's file. Raises: OutcomeRefused."""
    if artifact.size_bytes > bytes_max:
        raise refused_protocol(f"{artifact.name} is larger than {bytes_max} bytes")
    with open_artifact(artifact) as file:
        try:
            value = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise refused_protocol(f"{artifact.name} is not JSON") from error
    if not isinstance(value, dict):
        raise refused_protocol(f"{artifact.name} is not a JSON object")
    return value


def check_dataset(attempt: Attempt, output: object) -> DatasetOutput:
    """Check one dataset of a result: {"dataset", "artifact", "row_count", "schema"}.

    Raises: OutcomeRefused.
    """
    if not isinstance(output, dict):
        raise refused_protocol("an output must be an object")
    name, rows, schema = output.get("dataset"), output.get("row_count"), output.get("schema")
    if not isinstance(name, str) or not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise refused_protocol("an output must name its dataset and its row_count")
    if not _is_schema(schema):
        raise refused_protocol("an output's schema must be a list of {name, type}")
    artifact = artifact_of(attempt, output.get("artifact"), ArtifactRole.DATASET)
    return {"dataset": name, "artifact": artifact, "row_count": rows, "schema": schema}


def write_dataset(job: Job, output: DatasetOutput) -> DatasetVersion:
    """Write a checked output as a new dataset version. Raises: OutcomeRefused."""
    artifact = output["artifact"]
    try:
        version = dataset_version_from_job(
            project=job.project,
            name=output["dataset"],
            storage_key=artifact.storage_key,
            format="parquet",
            schema=[
                {"name": column["name"], "type": column["type"]} for column in output["schema"]
            ],
            row_count=output["row_count"],
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            user=job.created_by,
        )
    except MimirError as error:
        raise refused_input(error) from error
    JobOutput.objects.create(job=job, dataset_version=version)
    return version


def _is_schema(schema: object) -> TypeGuard[list[ColumnType]]:
    return (
        isinstance(schema, list)
        and len(schema) <= COLUMNS_MAX
        and all(
            isinstance(column, dict)
            and column.keys() == {"name", "type"}
            and all(
                isinstance(value, str) and len(value) <= 1000 and "\x00" not in value
                for value in column.values()
            )
            for column in schema
        )
    )
