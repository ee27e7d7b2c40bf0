"""Datasets that the newest versions of pipelines read. Registered with `core.uses`."""

from mimir.lib.schemas.references import dataset_references
from projects.core.uses import Candidate, Use
from projects.pipelines.read import pipeline_latest_versions


def pipeline_uses_of_datasets(candidate: Candidate, limit: int) -> list[Use]:
    """Return at most `limit` read steps that need the candidate.

    A whole dataset is needed by every step that reads it, one version by the steps that name it.
    """
    dataset, number = candidate.dataset, candidate.number
    subject = "this dataset" if number is None else "this version"
    versions = pipeline_latest_versions(project=dataset.project).order_by("pipeline__name")
    found = [
        Use(
            "pipeline",
            version.pipeline.name,
            version.number,
            f"Pipeline {version.pipeline.name} version {version.number} reads {subject} "
            f"in step {step}.",
        )
        for version in versions.iterator(chunk_size=200)
        for step, name, version_read in dataset_references(version.definition)
        if name == dataset.name and (number is None or version_read == number)
    ]
    return found[:limit]
