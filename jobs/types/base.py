"""What the outcomes of all types share: the refusal, and the files an attempt left for them."""

import json
from typing import IO, Any, TypeGuard

from jobs.contract import ArtifactRole, FailureReason
from jobs.models import Artifact, Attempt, Job, JobOutput
from mimir.lib.errors import MimirError
from projects.datasets.write import dataset_version_from_job
from projects.models import DatasetVersion
from projects.storage import artifacts

COLUMNS_MAX = 10_000


class OutcomeRefused(Exception):
    """What the worker made cannot be applied. `reason` and `message` become the job's."""

    def __init__(
        self, reason: FailureReason, message: str, detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.detail = reason, message, detail or {}


def refused_protocol(what: str) -> OutcomeRefused:
    """The worker said something that no worker of ours says."""
    return OutcomeRefused(FailureReason.PROTOCOL, f"The worker's result cannot be used: {what}.")


def refused_input(error: MimirError) -> OutcomeRefused:
    """The project does not take what the job made."""
    return OutcomeRefused(FailureReason.INVALID_INPUT, error.message, error.detail)


def artifact_of(attempt: Attempt, name: object, role: ArtifactRole) -> Artifact:
    """The artifact of this very attempt that was uploaded with `role`. Raises: OutcomeRefused."""
    artifact = (
        Artifact.objects.filter(attempt=attempt, name=name, role=role).first()
        if isinstance(name, str)
        else None
    )
    if artifact is None:
        raise refused_protocol(f"its {role} was not uploaded")
    return artifact


def open_artifact(artifact: Artifact) -> IO[bytes]:
    """The artifact's bytes. Raises: OutcomeRefused when the storage has them no more, or not all: no other try of this finish would find them."""
    try:
        if artifacts.size(artifact.storage_key) != artifact.size_bytes:
            raise refused_protocol(
                f"{artifact.name} is not the file in the artifact storage that was stored: its size differs"
            )
        return artifacts.open_file(artifact.storage_key)
    except FileNotFoundError as error:
        raise refused_protocol(
            f"{artifact.name} is not in the artifact storage any more"
        ) from error


def read_json(artifact: Artifact, *, bytes_max: int) -> dict[str, Any]:
    """The artifact's bytes as one JSON object. Raises: OutcomeRefused."""
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


def check_dataset(attempt: Attempt, output: object) -> dict[str, Any]:
    """One dataset of a result, checked: {"dataset", "artifact", "row_count", "schema"}. Raises: OutcomeRefused."""
    if not isinstance(output, dict):
        raise refused_protocol("an output has to be an object")
    name, rows, schema = output.get("dataset"), output.get("row_count"), output.get("schema")
    if not isinstance(name, str) or not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise refused_protocol("an output has to name its dataset and its row_count")
    if not _is_schema(schema):
        raise refused_protocol("an output's schema has to be a list of {name, type}")
    artifact = artifact_of(attempt, output.get("artifact"), ArtifactRole.DATASET)
    return {"dataset": name, "artifact": artifact, "row_count": rows, "schema": schema}


def write_dataset(job: Job, output: dict[str, Any]) -> DatasetVersion:
    """A checked output as a new dataset version of the job's. Raises: OutcomeRefused."""
    artifact: Artifact = output["artifact"]
    try:
        version = dataset_version_from_job(
            project=job.project,
            name=output["dataset"],
            storage_key=artifact.storage_key,
            format="parquet",
            schema=output["schema"],
            row_count=output["row_count"],
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            user=job.created_by,
        )
    except MimirError as error:
        raise refused_input(error) from error
    JobOutput.objects.create(job=job, dataset_version=version)
    return version


def _is_schema(schema: object) -> TypeGuard[list[dict[str, Any]]]:
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
