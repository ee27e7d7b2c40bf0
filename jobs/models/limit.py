"""Limits and pauses set by administrators."""

from django.db import models


class Limit(models.Model):
    """Limit or pause set by an administrator.

    `key` is empty for `global`, a job type for `type`, a project's slug for `project`.
    """

    class Scope(models.TextChoices):
        GLOBAL = "global", "Everything"
        TYPE = "type", "A job type"
        PROJECT = "project", "A project"

    scope = models.CharField(max_length=16, choices=Scope)
    key = models.CharField(max_length=63, blank=True, default="")
    max_jobs = models.PositiveIntegerField(null=True, blank=True)  # null: no limit
    paused = models.BooleanField(default=False)
    changed_by = models.CharField(max_length=160, blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("scope", "key"), name="limit_once_per_scope"),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.key}".strip()
