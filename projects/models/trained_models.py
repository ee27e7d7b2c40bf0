"""Trained models: named sequences of versions, each an immutable file with its metadata."""

from django.conf import settings
from django.db import models

from mimir.lib.ids import uuid7
from projects.models.datasets import DatasetVersion
from projects.models.projects import Project


class Model(models.Model):
    """A named sequence of versions. `latest_number` is 0 before the first one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="models",
        db_index=False,  # the unique index begins with it
    )
    name = models.CharField(max_length=200)
    latest_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("project", "name"), name="model_name_once_per_project"),
        )

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """A trained model: a skops file in the artifact storage, with settings, data and metrics."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(
        Model,
        on_delete=models.CASCADE,
        related_name="versions",
        db_index=False,  # the unique index begins with it
    )
    number = models.PositiveIntegerField()
    task = models.CharField(max_length=32)  # classification | regression
    algorithm = models.CharField(max_length=64)
    target = models.CharField(max_length=1000)
    hyperparameters = models.JSONField(default=dict)
    signature = models.JSONField()  # inputs and output: see mimir/lib/schemas/signature.py
    metrics = models.JSONField()  # {name: value} on the held-out set
    baseline = models.JSONField()  # the same names, of a baseline model
    plots = models.JSONField(default=dict)  # data of plots: see jobs/worker/ml_training/plots.py
    # {"train_rows", "test_rows", "test_size", "seed", "seconds", …}
    training = models.JSONField(default=dict)
    libraries = models.JSONField(default=dict)  # {name: version} of the training libraries
    training_data = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="+")
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=300)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("model", "number"), name="model_version_number_once"),
        )
        # For the sweep of objects: which of them are referenced.
        indexes = (models.Index(fields=("storage_key",), name="model_version_object"),)

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"
