"""The versions a job was fixed on at submit, as the worker gets them.

A job's `inputs` are [{"name", "kind": "pipeline" | "dataset", "pipeline" | "dataset": <name>, "version": <number>, "id": <version id>}].
"""

from typing import Any
from uuid import UUID

from jobs.models import Job
from mimir.lib.errors import NotFound
from projects.models import DatasetVersion, PipelineVersion


def claim_inputs(job: Job) -> list[dict[str, Any]]:
    """`inputs` of the claim's answer (docs/worker-protocol.md)."""
    datasets = DatasetVersion.objects.in_bulk([row["id"] for row in job.inputs if row["kind"] == "dataset"])
    pipelines = PipelineVersion.objects.in_bulk([row["id"] for row in job.inputs if row["kind"] == "pipeline"])
    answer = []
    for row in job.inputs:
        public = {key: value for key, value in row.items() if key != "id"}
        if row["kind"] == "pipeline":
            answer.append({**public, "definition": pipelines[UUID(row["id"])].definition})
            continue
        version = datasets[UUID(row["id"])]
        facts = {
            "format": version.format,
            "size_bytes": version.size_bytes,
            "sha256": version.sha256,
            "schema": version.schema,
            "row_count": version.row_count,
        }
        answer.append({**public, **facts})
    return answer


def input_version(job: Job, name: str) -> DatasetVersion:
    """The dataset version behind one input. Raises: NotFound for a name that is not an input of this job."""
    for row in job.inputs:
        if row["kind"] == "dataset" and row["name"] == name:
            return DatasetVersion.objects.get(id=row["id"])
    raise NotFound(f"This job has no input {name}.")


def public_inputs(job: Job) -> list[dict[str, Any]]:
    """`inputs` as the REST shows them: kind, name and version of what is read."""
    return [{key: value for key, value in row.items() if key != "id"} for row in job.inputs]
