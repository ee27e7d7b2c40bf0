"""Datasets with their immutable versions, staged uploads and column statistics."""

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
    """A named sequence of versions.

    `latest_number` is the highest number so far, 0 before the first version. Numbers are never
    reused. A reader that names no version gets the current one. It is the newest, unless a
    maintainer chose another: `current_number` holds that choice, valid while `latest_number` equals
    `current_set_at`. So each new version becomes current, even if a release without these two
    columns writes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="datasets",
        db_index=False,  # the unique index begins with it
    )
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
        """Number of the current version, 0 if there is none."""
        chosen = self.current_number if self.current_set_at == self.latest_number else None
        return self.latest_number if chosen is None else chosen


class DatasetVersion(models.Model):
    """An immutable file in the artifact storage, with its schema and parsing options.

    `storage_key` is the uploaded file. `table_key` is the Parquet file that all readers use. It is
    empty if the uploaded file is Parquet, and for versions created before tables were stored. Those
    are read from the uploaded file.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(
        Dataset,
        on_delete=models.CASCADE,
        related_name="versions",
        db_index=False,  # the unique index begins with it
    )
    number = models.PositiveIntegerField()
    format = models.CharField(max_length=16, choices=DataFormat)
    schema = models.JSONField()  # [{"name", "type"}] in column order, types as DuckDB names them
    row_count = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_key = models.CharField(max_length=300)
    # Compression of the uploaded file: gzip, zstd, zip…
    packing = models.CharField(max_length=16, blank=True, default="", db_default="")
    table_key = models.CharField(max_length=300, blank=True, default="", db_default="")
    table_size_bytes = models.BigIntegerField(default=0, db_default=0)
    table_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    # The options in effect when the file was read.
    reading = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    # [{"code", "params", "message"}]
    warnings = models.JSONField(default=list, db_default=Value([], models.JSONField()))
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
    """An uploaded file that is not accepted as a dataset version yet. It expires.

    `storage_key` becomes the object of the version: accepting copies nothing. `fault` is the reason
    why the file cannot be read with `options`.
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
    options = models.JSONField(default=dict)  # chosen by the user
    reading = models.JSONField(null=True)  # result of the last reading, see `UploadReading`
    fault = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            # For the sweep of expired uploads.
            models.Index(fields=("expires_at",), name="staged_upload_expires"),
            # For the sweep of objects: which of them are referenced.
            models.Index(fields=("storage_key",), name="staged_upload_object"),
        )

    def __str__(self) -> str:
        return self.file_name


class DatasetProfile(models.Model):
    """Column statistics of a version, computed once. `fault`: why they could not be computed."""

    version = models.OneToOneField(
        DatasetVersion, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    columns = models.JSONField(default=list)  # see projects/parsing/column_profile.py
    fault = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
