"""Inputs of a job for its worker and for the API."""

from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

from jobs.models import Job
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


def claim_inputs(job: Job) -> list[dict[str, Any]]:
    """Return `inputs` of the claim's response (docs/reference/worker-protocol.md)."""
    rows = {
        kind: model.objects.in_bulk([row["id"] for row in job.inputs if row["kind"] == kind])
        for kind, model in _VERSIONS.items()
    }
    inputs = []
    for row in job.inputs:
        public = {key: value for key, value in row.items() if key != "id"}
        facts = (
            _FACTS[row["kind"]](rows[row["kind"]][UUID(row["id"])]) if row["kind"] in rows else {}
        )
        inputs.append({**public, **facts})
    return inputs


def input_content(job: Job, name: str) -> InputContent:
    """Open one input: a version's file, or a twin's newest state as JSON Lines.

    Raises: NotFound if the job has no such input with a file; Conflict `content_missing`,
    `content_changed`.
    """
    for row in job.inputs:
        if row["name"] != name or row["kind"] == "pipeline":
            continue
        if row["kind"] == "twin":
            document = twin_state_document(twin_id=UUID(row["id"]), type=job.parameters["type"])
            return InputContent(document.file, document.size_bytes, document.sha256)
        version: Any = _VERSIONS[row["kind"]].objects.get(id=row["id"])
        key, size_bytes, sha256 = _stored(version)
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


def public_inputs(job: Job) -> list[dict[str, Any]]:
    """Return `inputs` of the public API: kind, name and version of each."""
    return [{key: value for key, value in row.items() if key != "id"} for row in job.inputs]


def _stored(version: Any) -> tuple[str, int, str]:
    """Return key, size and SHA-256 of the stored object.

    For a dataset version, this is its Parquet table, if it has one.
    """
    if isinstance(version, DatasetVersion) and version.table_key:
        return version.table_key, version.table_size_bytes, version.table_sha256
    return version.storage_key, version.size_bytes, version.sha256


def _dataset(version: DatasetVersion) -> dict[str, Any]:
    _, size_bytes, sha256 = _stored(version)
    return {
        "format": "parquet" if version.table_key else version.format,
        "source_format": version.format,
        "size_bytes": size_bytes,
        "sha256": sha256,
        "schema": version.schema,
        "row_count": version.row_count,
    }


def _model(version: ModelVersion) -> dict[str, Any]:
    return {
        "size_bytes": version.size_bytes,
        "sha256": version.sha256,
        "signature": version.signature,
    }


_CHANGED = (
    "The file of {} version {} is not the one that was stored: its size differs."
    " Use another version and contact an administrator."
)
_VERSIONS: dict[str, Any] = {
    "dataset": DatasetVersion,
    "pipeline": PipelineVersion,
    "model": ModelVersion,
}
_FACTS: dict[str, Any] = {
    "dataset": _dataset,
    "model": _model,
    "pipeline": lambda version: {"definition": version.definition},
}
