"""Queries of pipelines and their versions."""

from typing import TYPE_CHECKING

from django.db.models import F, QuerySet

from mimir.lib.errors import NotFound
from projects.models import Pipeline, PipelineVersion, Project

if TYPE_CHECKING:
    Versions = QuerySet[PipelineVersion, PipelineVersion]


def pipeline_latest_versions(*, project: Project) -> "Versions":
    """Return the newest version of every pipeline of `project`, with pipeline and author.

    The caller orders by `pipeline__name`.
    """
    return PipelineVersion.objects.filter(
        pipeline__project=project, number=F("pipeline__latest_number")
    ).select_related("pipeline", "created_by")


def pipeline_get(*, project: Project, name: str) -> Pipeline:
    """Return a pipeline by its name. Raises: NotFound."""
    pipeline = Pipeline.objects.filter(project=project, name=name, latest_number__gt=0).first()
    if pipeline is None:
        raise NotFound(f"There is no pipeline {name} in this project.")
    return pipeline


def pipeline_versions(*, pipeline: Pipeline) -> "Versions":
    """Return all versions of `pipeline`. The caller orders by `-number`."""
    return PipelineVersion.objects.filter(pipeline=pipeline).select_related(
        "pipeline", "created_by"
    )


def pipeline_version_find(
    *, project: Project, name: str, number: int | None = None
) -> PipelineVersion | None:
    """Return a version by its number, by default the newest; None if missing. One query."""
    versions = PipelineVersion.objects.filter(
        pipeline__project=project, pipeline__name=name
    ).select_related("pipeline", "created_by")
    return versions.filter(
        number=F("pipeline__latest_number") if number is None else number
    ).first()


def pipeline_version_get(
    *, project: Project, name: str, number: int | None = None
) -> PipelineVersion:
    """Return a version by its number, by default the newest. Raises: NotFound."""
    version = pipeline_version_find(project=project, name=name, number=number)
    if version is None:
        raise NotFound(
            f"There is no pipeline {name}{f' version {number}' if number else ''} in this project."
        )
    return version
