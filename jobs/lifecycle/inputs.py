"""Inputs of a job as rows. Each type's `inputs.resolve` (`jobs/types/`) resolves them at submit."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.models import Job, JobInput
from jobs.types.inputs import InputRow
from projects.models import DatasetVersion

_COLUMNS = {
    "dataset": "dataset_version_id",
    "pipeline": "pipeline_version_id",
    "model": "model_version_id",
    "twin": "twin_id",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a job. Only one job with the same non-empty `exclusive_key` runs at a time."""

    rows: Sequence[InputRow]
    exclusive_key: str = ""


def inputs_of(rows: Sequence[InputRow]) -> Inputs:
    """Return `rows` with their exclusive key: a twin is updated by one job at a time."""
    twin = next((row["id"] for row in rows if row["kind"] == "twin"), None)
    return Inputs(rows, f"twin:{twin}" if twin else "")


def deleted_inputs(rows: Sequence[InputRow]) -> list[str]:
    """Return the dataset versions that were deleted after submit, as `name version 3`."""
    wanted = {
        row["id"]: f"{row['dataset']} version {row['version']}"
        for row in rows
        if row["kind"] == "dataset"
    }
    existing = {
        str(found)
        for found in DatasetVersion.objects.filter(id__in=wanted).values_list("id", flat=True)
    }
    return [name for identity, name in wanted.items() if identity not in existing]


def input_rows_create(job: Job) -> None:
    """Insert one `JobInput` per input, for queries of the jobs that use a version.

    Runs in the transaction that inserts the job.
    """
    JobInput.objects.bulk_create(
        JobInput(job=job, **{_COLUMNS[row["kind"]]: row["id"]}) for row in job.inputs
    )
