"""Response bodies of models and their versions."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

from rest_framework import serializers

from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.signature import ModelSignature
from mimir.lib.schemas.training_report import ModelPlots, TrainingFacts
from projects.datasets.shapes import VersionRef, VersionRefBody, version_ref
from projects.models import (
    ModelVersion,
)

_Any = serializers.Serializer[Any]


class ModelVersionShape(_Any):
    number = serializers.IntegerField()
    task = serializers.CharField(help_text="regression or classification")
    algorithm = serializers.CharField()
    target = serializers.CharField()
    metrics = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="On the held-out set."
    )
    baseline = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="The same metrics of a baseline model.",
    )
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    training_data = VersionRef(help_text="The dataset version used for training.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(
        allow_null=True, help_text="The job that trained it; null if that job was deleted."
    )


class Importance(_Any):
    feature = serializers.CharField()
    value = serializers.FloatField()


class ModelVersionDetail(ModelVersionShape):
    name = serializers.CharField()
    hyperparameters = serializers.DictField(help_text="Names and values as in scikit-learn.")
    signature = serializers.DictField(
        help_text='{"features": [{"name", "kind", "type"}], "target": {"name", "type"}, "task",'
        ' "classes"?}'
    )
    plots = serializers.DictField(
        help_text="Data of plots. Regression: predicted_actual, residuals."
        " Classification: confusion, roc, precision_recall, calibration."
    )
    training = serializers.DictField(help_text="Rows, split, seed, seconds.")
    libraries = serializers.DictField(
        child=serializers.CharField(), help_text="Versions of the libraries that trained it."
    )
    importance = Importance(many=True, help_text="Feature importance, highest first.")


class ModelShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    version = ModelVersionShape(help_text="The newest one.")


class ModelVersions(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    versions = ModelVersionShape(many=True)
    next = serializers.CharField(allow_null=True)


class ImportanceBody(TypedDict):
    """The importance of one feature."""

    feature: str
    value: float


class ModelVersionBody(TypedDict):
    """A version of a model in a list."""

    number: int
    task: str
    algorithm: str
    target: str
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    size_bytes: int
    sha256: str
    training_data: VersionRefBody
    created_at: dt.datetime
    created_by: str | None
    job: UUID | None


class ModelVersionDetailBody(ModelVersionBody):
    """A version of a model with all details."""

    name: str
    hyperparameters: JsonObject
    signature: ModelSignature
    plots: ModelPlots
    training: TrainingFacts
    libraries: dict[str, str]
    importance: list[ImportanceBody]


def model_version(row: ModelVersion, origins: Mapping[UUID, UUID]) -> ModelVersionBody:
    """Return one version of a model. `origins` names the jobs that created versions."""
    return {
        "number": row.number,
        "task": row.task,
        "algorithm": row.algorithm,
        "target": row.target,
        "metrics": row.metrics,
        "baseline": row.baseline,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "training_data": version_ref(row.training_data),
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
        "job": origins.get(row.id),
    }


def _without_importance(plots: ModelPlots) -> ModelPlots:
    shown = plots.copy()
    shown.pop("importance", None)
    return shown


def model_version_detail(row: ModelVersion, origins: Mapping[UUID, UUID]) -> ModelVersionDetailBody:
    """Return a version with all details. Feature importance is stored among the plots."""
    return {
        **model_version(row, origins),
        "name": row.model.name,
        "hyperparameters": row.hyperparameters,
        "signature": row.signature,
        "plots": _without_importance(row.plots),
        "training": row.training,
        "libraries": row.libraries,
        "importance": row.plots.get("importance", []),
    }
