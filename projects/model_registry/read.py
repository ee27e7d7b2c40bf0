"""Queries of models and their versions."""

from typing import TYPE_CHECKING

from django.db.models import F, QuerySet

from mimir.lib.errors import NotFound
from projects.datasets.read import ContentMissing
from projects.models import Model, ModelVersion, Project

if TYPE_CHECKING:
    Versions = QuerySet[ModelVersion, ModelVersion]


def model_latest_versions(*, project: Project) -> "Versions":
    """Return the newest version of every model of `project`, with model and author.

    The caller orders by `model__name`.
    """
    return _listed().filter(model__project=project, number=F("model__latest_number"))


def model_get(*, project: Project, name: str) -> Model:
    """Return a model by its name. Raises: NotFound."""
    model = Model.objects.filter(project=project, name=name, latest_number__gt=0).first()
    if model is None:
        raise NotFound(f"There is no model {name} in this project.")
    return model


def model_versions(*, model: Model) -> "Versions":
    """Return all versions of `model`. The caller orders by `-number`."""
    return _listed().filter(model=model)


def model_version_find(
    *, project: Project, name: str, number: int | None = None
) -> ModelVersion | None:
    """Return a version by its number, by default the newest; None if missing. One query."""
    versions = _versions().filter(model__project=project, model__name=name)
    return versions.filter(number=F("model__latest_number") if number is None else number).first()


def model_version_get(*, project: Project, name: str, number: int | None = None) -> ModelVersion:
    """Return a version by its number, by default the newest. Raises: NotFound."""
    version = model_version_find(project=project, name=name, number=number)
    if version is None:
        raise NotFound(
            f"There is no model {name}{f' version {number}' if number else ''} in this project."
        )
    return version


def _versions() -> "Versions":
    return ModelVersion.objects.select_related("model", "created_by", "training_data__dataset")


def _listed() -> "Versions":
    """Return versions without the fields that only the page of one version shows.

    Plots and signature of a wide table are large.
    """
    return _versions().defer(
        "plots", "signature", "training", "libraries", "hyperparameters", "training_data__schema"
    )


def content_missing(version: ModelVersion) -> ContentMissing:
    """Return the error for a version without a file in the storage."""
    return ContentMissing(
        f"The file of {version.model.name} version {version.number} is not in the artifact storage."
        " Contact an administrator."
    )
