"""Projects and their members."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from mimir.lib.ids import uuid7


class ProjectStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    ARCHIVED = "archived", "Archived"


class Role(models.TextChoices):
    """Roles of members. Each includes the rights of the previous ones; see `core/access.py`."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    MAINTAINER = "maintainer", "Maintainer"


class Project(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="", max_length=10_000)
    status = models.CharField(max_length=16, choices=ProjectStatus, default=ProjectStatus.ACTIVE)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    stored_bytes_max = models.BigIntegerField(
        "quota of stored bytes",
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Bytes this project may store; empty: as PROJECT_BYTES_MAX says; 0: no limit.",
    )
    automatic_resources = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Jobs without resources get the limits that fit earlier runs.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class Membership(models.Model):
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="memberships",
        db_index=False,  # the unique index begins with it
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "user"), name="membership_one_role_per_user"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"
