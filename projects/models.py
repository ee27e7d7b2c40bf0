"""Rows of projects, their members and the immutable versions of what they hold."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from mimir.lib.ids import uuid7


class ProjectStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    ARCHIVED = "archived", "Archived"


class Role(models.TextChoices):
    """What a member may do; each role may do what the ones before it may. The order is in `access.py`."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    MAINTAINER = "maintainer", "Maintainer"


class VersionSource(models.TextChoices):
    UPLOAD = "upload", "Upload"
    JOB = "job", "Job"


class DataFormat(models.TextChoices):
    CSV = "csv", "CSV"
    JSONL = "jsonl", "JSON lines"
    PARQUET = "parquet", "Parquet"


class Project(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="", max_length=10_000)
    status = models.CharField(max_length=16, choices=ProjectStatus, default=ProjectStatus.ACTIVE)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "user"), name="membership_one_role_per_user"),)

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class Dataset(models.Model):
    """A named line of versions; `latest_number` is 0 until the first one is there."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=200)
    latest_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="dataset_name_once_per_project"),)

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """One immutable content: a file in the artifact storage and what is known of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    format = models.CharField(max_length=16, choices=DataFormat)
    schema = models.JSONField()  # [{"name", "type"}] in column order, types as DuckDB names them
    row_count = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=300)
    source = models.CharField(max_length=16, choices=VersionSource)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("dataset", "number"), name="dataset_version_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1) & Q(row_count__gte=0), name="dataset_version_counts"),
        )

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"


class Pipeline(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pipelines")
    name = models.CharField(max_length=200)
    latest_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="pipeline_name_once_per_project"),)

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """One immutable definition."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (models.UniqueConstraint(fields=("pipeline", "number"), name="pipeline_version_number_once"),)

    def __str__(self) -> str:
        return f"{self.pipeline} v{self.number}"


class TokenKind(models.TextChoices):
    SESSION = "session", "Session"
    API = "api", "API token"


class AccessToken(models.Model):
    """A bearer token of a user: of a sign-in, or made for a program. Only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    kind = models.CharField(max_length=16, choices=TokenKind)
    name = models.CharField(max_length=200, blank=True, default="")
    digest = models.CharField(max_length=64, unique=True)  # hex SHA-256 of the token; found by it at each request
    hint = models.CharField(max_length=8)  # its last characters, to tell tokens apart in a list
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = (F("created_at").desc(),)
        indexes = (models.Index(fields=("expires_at",), name="token_expiry"),)  # for the sweep of expired tokens

    def __str__(self) -> str:
        return f"{self.kind} token …{self.hint} of {self.user}"
