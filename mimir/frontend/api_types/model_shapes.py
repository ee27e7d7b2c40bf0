"""Trained models and their versions."""

from typing import TypedDict

from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.signature import ModelSignature
from mimir.lib.schemas.training_report import ModelPlots, TrainingFacts


class VersionRef(TypedDict):
    """Name and version of a dataset."""

    name: str
    version: int


class Importance(TypedDict):
    """Importance of a feature."""

    feature: str
    value: float


class ModelVersion(TypedDict):
    """Version of a model."""

    number: int
    task: str
    algorithm: str
    target: str
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    size_bytes: int
    sha256: str
    training_data: VersionRef
    created_at: str
    created_by: str | None
    job: str | None


class Model(TypedDict):
    """Model with its newest version."""

    name: str
    created_at: str
    version: ModelVersion


class ModelVersions(TypedDict):
    """Model with a page of its versions."""

    name: str
    created_at: str
    versions: list[ModelVersion]
    next: str | None


class ModelVersionDetail(ModelVersion):
    """Version with training details and plots."""

    name: str
    hyperparameters: JsonObject
    signature: ModelSignature
    plots: ModelPlots
    training: TrainingFacts
    libraries: dict[str, str]
    importance: list[Importance]
