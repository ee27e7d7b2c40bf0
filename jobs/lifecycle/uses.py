"""Uses of dataset versions by jobs. Registered with `projects`, which cannot import `jobs`."""

from jobs.contract import TERMINAL
from jobs.models import JobInput, JobOutput
from projects.core.uses import Candidate, Use


def job_uses_of_datasets(candidate: Candidate, limit: int) -> list[Use]:
    """Return at most `limit` uses: active jobs that read a version, then outputs of ended jobs."""
    version_ids = candidate.version_ids
    inputs = JobInput.objects.filter(dataset_version__in=version_ids)
    waiting = (
        inputs.exclude(job__status__in=TERMINAL).select_related("job").order_by("-job_id")[:limit]
    )
    found = [
        Use("job", str(row.job_id), None, f"Job {row.job_id} reads it and has not ended.")
        for row in waiting
    ]
    if len(found) < limit:
        readers = inputs.filter(job__status__in=TERMINAL).values("job_id")
        outputs = (
            JobOutput.objects.filter(job_id__in=readers)
            .exclude(dataset_version__in=version_ids)
            .select_related(
                "dataset_version__dataset", "model_version__model", "twin_revision__twin"
            )
            .order_by("-job_id", "-id")
        )
        found += [_output_use(row) for row in outputs[: limit - len(found)]]
    return found


def _output_use(row: JobOutput) -> Use:
    if row.model_version is not None:
        kind, name, number = "model", row.model_version.model.name, row.model_version.number
        return Use(kind, name, number, f"Model {name} version {number} was created from it.")
    if row.dataset_version is not None:
        kind, name, number = "dataset", row.dataset_version.dataset.name, row.dataset_version.number
        return Use(kind, name, number, f"Dataset {name} version {number} was created from it.")
    assert row.twin_revision is not None, "the table's constraint names exactly one"
    kind, name, number = "twin", row.twin_revision.twin.name, row.twin_revision.number
    return Use(kind, name, number, f"Revision {number} of twin {name} was created from it.")
