"""Inputs of a job for its worker and for the API."""

from dataclasses import dataclass
from typing import IO
from uuid import UUID

from jobs.contract.protocol import ClaimedInput, DatasetInput, ModelInput, PipelineInput
from jobs.models import Job
from jobs.types.inputs import InputRow, PublicInput, public_input
from mimir.lib.errors import Conflict, NotFound
from projects.models import DatasetVersion, ModelVersion, PipelineVersion
from projects.storage import artifacts
from projects.twins.document import twin_state_document


@dataclass(frozen=True, slots=True)
class InputContent:
    """Open file of an input, its size and its SHA-256 in hex."""

    file: IO[bytes]
    size_bytes: int
    sha256: str


def claim_inputs(job: Job) -> list[ClaimedInput]:
    """Return `inputs` of the claim's response (docs/reference/worker-protocol.md)."""
    rows: list[InputRow] = job.inputs
    datasets = DatasetVersion.objects.in_bulk(_ids(rows, "dataset"))
    pipelines = PipelineVersion.objects.in_bulk(_ids(rows, "pipeline"))
    models = ModelVersion.objects.in_bulk(_ids(rows, "model"))
    inputs: list[ClaimedInput] = []
    for row in rows:
        match row["kind"]:
            case "dataset":
                inputs.append(_dataset_input(row, datasets[UUID(row["id"])]))
            case "pipeline":
                inputs.append(_pipeline_input(row, pipelines[UUID(row["id"])]))
            case "model":
                inputs.append(_model_input(row, models[UUID(row["id"])]))
            case "twin":
                inputs.append({"name": row["name"], "kind": "twin", "twin": row["twin"]})
    return inputs


def _ids(rows: list[InputRow], kind: str) -> list[str]:
    return [row["id"] for row in rows if row["kind"] == kind]


def input_content(job: Job, name: str) -> InputContent:
    """Open one input: a version's file, or a twin's newest state as JSON Lines.

    Raises: NotFound if the job has no such input with a file; Conflict `content_missing`, or
    `content_changed` if the file has another size.
    """
    for row in job.inputs:
        if row["name"] != name or row["kind"] == "pipeline":
            continue
        if row["kind"] == "twin":
            document = twin_state_document(twin_id=UUID(row["id"]), type=job.parameters["type"])
            return InputContent(document.file, document.size_bytes, document.sha256)
        key, size_bytes, sha256 = _stored(_version(row))
        try:
            size = artifacts.size(key)
            file = artifacts.open_file(key)
        except FileNotFoundError as error:
            raise Conflict(
                "The file of this input is not in the artifact storage.", code="content_missing"
            ) from error
        if size != size_bytes:
            file.close()
            raise Conflict(
                _CHANGED.format(row[row["kind"]], row["version"]), code="content_changed"
            )
        return InputContent(file, size_bytes, sha256)
    raise NotFound(f"This job has no input {name}.")


def public_inputs(job: Job) -> list[PublicInput]:
    """Return `inputs` of the public API: kind, name and version of each."""
    return [public_input(row) for row in job.inputs]


def _version(row: InputRow) -> DatasetVersion | ModelVersion:
    if row["kind"] == "model":
        return ModelVersion.objects.get(id=row["id"])
    return DatasetVersion.objects.get(id=row["id"])


def _stored(version: DatasetVersion | ModelVersion) -> tuple[str, int, str]:
    """Return key, size and SHA-256 of the stored object.

    For a dataset version, this is its Parquet table, if it has one.
    """
    if isinstance(version, DatasetVersion) and version.table_key:
        return version.table_key, version.table_size_bytes, version.table_sha256
    return version.storage_key, version.size_bytes, version.sha256


def _dataset_input(row: InputRow, version: DatasetVersion) -> DatasetInput:
    _, size_bytes, sha256 = _stored(version)
    return {
        "name": row["name"],
        "kind": "dataset",
        "dataset": row["dataset"],
        "version": row["version"],
        "format": "parquet" if version.table_key else version.format,
        "source_format": version.format,
        "size_bytes": size_bytes,
        "sha256": sha256,
        "schema": version.schema,
        "row_count": version.row_count,
    }


def _model_input(row: InputRow, version: ModelVersion) -> ModelInput:
    return {
        "name": row["name"],
        "kind": "model",
        "model": row["model"],
        "version": row["version"],
        "size_bytes": version.size_bytes,
        "sha256": version.sha256,
        "signature": version.signature,
    }


def _pipeline_input(row: InputRow, version: PipelineVersion) -> PipelineInput:
    return {
        "name": row["name"],
        "kind": "pipeline",
        "pipeline": row["pipeline"],
        "version": row["version"],
        "definition": version.definition,
    }


_CHANGED = (
    "The file of {} version {} is not the one that was stored: its size differs."
    " Use another version and contact an administrator."
)
