"""Pipelines: named sequences of versions, each an immutable definition."""

from django.conf import settings
from django.db import models

from mimir.lib.ids import uuid7
from projects.models.projects import Project


class Pipeline(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="pipelines",
        db_index=False,  # the unique index begins with it
    )
    name = models.CharField(max_length=200)
    latest_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("project", "name"), name="pipeline_name_once_per_project"
            ),
        )

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """An immutable definition."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(
        Pipeline,
        on_delete=models.CASCADE,
        related_name="versions",
        db_index=False,  # the unique index begins with it
    )
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(
                fields=("pipeline", "number"), name="pipeline_version_number_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.pipeline} v{self.number}"
