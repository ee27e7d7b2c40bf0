"""Datasets: a named line of versions, each an immutable file."""

from django.conf import settings
from django.db import models
from django.db.models import Q, Value

from mimir.lib.ids import uuid7
from projects.models.projects import Project


class VersionSource(models.TextChoices):
    UPLOAD = "upload", "Upload"
    JOB = "job", "Job"


class DataFormat(models.TextChoices):
    CSV = "csv", "CSV"
    JSONL = "jsonl", "JSON lines"
    PARQUET = "parquet", "Parquet"
    JSON = "json", "JSON"
    ARROW = "arrow", "Arrow"
    EXCEL = "excel", "Excel"


class Dataset(models.Model):
    """A named line of versions. `latest_number` is the highest number given so far, 0 before the first version; numbers are never reused.

    The current version is the one that a reader gets who names no version. It is the newest one, unless a maintainer chose another:
    `current_number` holds that choice, valid while `latest_number` equals `current_set_at`. So each new version becomes current by
    itself, also when a release that does not know these two columns writes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=200)
    latest_number = models.PositiveIntegerField(default=0)
    current_number = models.PositiveIntegerField(null=True, editable=False)
    current_set_at = models.PositiveIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("project", "name"), name="dataset_name_once_per_project"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> int:
        """Number of the current version, 0 while there is none."""
        chosen = self.current_number if self.current_set_at == self.latest_number else None
        return self.latest_number if chosen is None else chosen


class DatasetVersion(models.Model):
    """One immutable content: a file in the artifact storage and what is known of it.

    `storage_key` is the file as it was sent. `table_key` is the Parquet file that everything else reads; empty where the file as sent is
    Parquet, and for versions uploaded before tables were stored, which are read from the file as sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    format = models.CharField(max_length=16, choices=DataFormat)
    schema = models.JSONField()  # [{"name", "type"}] in column order, types as DuckDB names them
    row_count = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=300)
    packing = models.CharField(
        max_length=16, blank=True, default="", db_default=""
    )  # gzip, zstd, zip… of the file as sent
    table_key = models.CharField(max_length=300, blank=True, default="", db_default="")
    table_size_bytes = models.BigIntegerField(default=0, db_default=0)
    table_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    reading = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField())
    )  # the options it was read with
    warnings = models.JSONField(
        default=list, db_default=Value([], models.JSONField())
    )  # [{"code", "params", "message"}]
    source = models.CharField(max_length=16, choices=VersionSource)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(
                fields=("dataset", "number"), name="dataset_version_number_once"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1) & Q(row_count__gte=0), name="dataset_version_counts"
            ),
        )

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"


class StagedUpload(models.Model):
    """A file that was sent and not yet accepted as a dataset version: its reading can be looked at and changed until it expires.

    `storage_key` is the object of the later version: accepting copies nothing. `fault` says why it could not be read with `options`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="staged_uploads")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    file_name = models.CharField(max_length=300)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=300)
    options = models.JSONField(default=dict)  # what the user chose
    reading = models.JSONField(null=True)  # what was found, see projects/datasets/uploads_write.py
    fault = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=("expires_at",), name="staged_upload_expires"
            ),  # the sweep asks which have expired
            models.Index(
                fields=("storage_key",), name="staged_upload_object"
            ),  # the sweep of objects asks who needs one
        )

    def __str__(self) -> str:
        return self.file_name


class DatasetProfile(models.Model):
    """What the columns of one version hold: computed once, since a version never changes. `fault` says why that could not be done."""

    version = models.OneToOneField(
        DatasetVersion, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    columns = models.JSONField(
        default=list
    )  # in column order: see projects/parsing/column_profile.py
    fault = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
