"""Events, logs, files, inputs and outputs of jobs."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.contract import ArtifactRole
from jobs.models.attempt import Attempt
from jobs.models.expressions import choices
from jobs.models.job import Job
from mimir.lib.ids import uuid7

ARTIFACTS = "artifacts"  # folder of artifacts in the storage


class JobEvent(models.Model):
    """Event of a job. `seq` counts from 1 without gaps per job."""

    job = models.ForeignKey(
        Job,
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,  # `event_seq_once` serves it
    )
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    actor = models.CharField(
        max_length=160
        # "user:<name>", "worker:<attempt id>", "dispatcher", "reconciler", "admin:<name>"
    )
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("seq",)
        constraints = (
            models.UniqueConstraint(fields=("job", "seq"), name="event_seq_once"),
            # also serves reads after a seq
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class LogChunk(models.Model):
    """Stored bytes [start, end) of an attempt's log, zlib-compressed, until the log is sealed."""

    attempt = models.ForeignKey(
        Attempt,
        on_delete=models.CASCADE,
        related_name="log_chunks",
        db_index=False,  # `log_chunk_start_once` serves it
    )
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    first_line = models.BigIntegerField()  # line ends before start
    data = models.BinaryField()

    class Meta:
        ordering = ("start",)
        constraints = (
            models.UniqueConstraint(fields=("attempt", "start"), name="log_chunk_start_once"),
            # also serves reads at an offset
        )


class Artifact(models.Model):
    """File delivered by an attempt.

    Shown only if the attempt is the job's last one or succeeded.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    attempt = models.ForeignKey(
        Attempt,
        on_delete=models.CASCADE,
        related_name="artifacts",
        db_index=False,  # `artifact_name_once` serves it
    )
    name = models.CharField(max_length=200)
    role = models.CharField(
        max_length=16, choices=choices(ArtifactRole), default=ArtifactRole.ARTIFACT
    )
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=200)
    storage_key = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("attempt", "name"), name="artifact_name_once"),
        )

    def __str__(self) -> str:
        return self.name


class JobInput(models.Model):
    """Version or twin that a job reads. Finds the jobs that use a version.

    `Job.inputs` has the same inputs as JSON, by name.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="input_rows")
    dataset_version = models.ForeignKey(
        "projects.DatasetVersion",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    pipeline_version = models.ForeignKey(
        "projects.PipelineVersion",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    model_version = models.ForeignKey(
        "projects.ModelVersion",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    twin = models.ForeignKey(
        "projects.Twin",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        # its newest state when the worker downloads the input
    )

    class Meta:
        # jobs that use a version or twin; each row refers to one of these
        indexes = (
            models.Index(
                fields=("dataset_version",),
                condition=Q(dataset_version__isnull=False),
                name="input_dataset_version",
            ),
            models.Index(
                fields=("pipeline_version",),
                condition=Q(pipeline_version__isnull=False),
                name="input_pipeline_version",
            ),
            models.Index(
                fields=("model_version",),
                condition=Q(model_version__isnull=False),
                name="input_model_version",
            ),
            models.Index(fields=("twin",), condition=Q(twin__isnull=False), name="input_twin"),
        )


class JobOutput(models.Model):
    """Version that a job made. The link is stored here because `projects` does not know jobs."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="outputs")
    dataset_version = models.OneToOneField(
        "projects.DatasetVersion", null=True, on_delete=models.CASCADE, related_name="+"
    )
    model_version = models.OneToOneField(
        "projects.ModelVersion", null=True, on_delete=models.CASCADE, related_name="+"
    )
    twin_revision = models.OneToOneField(
        "projects.TwinRevision", null=True, on_delete=models.CASCADE, related_name="+"
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=(
                    Q(
                        dataset_version__isnull=False,
                        model_version__isnull=True,
                        twin_revision__isnull=True,
                    )
                    | Q(
                        dataset_version__isnull=True,
                        model_version__isnull=False,
                        twin_revision__isnull=True,
                    )
                    | Q(
                        dataset_version__isnull=True,
                        model_version__isnull=True,
                        twin_revision__isnull=False,
                    )
                ),
                name="job_output_is_one_thing",
            ),
        )


class DismissedFailure(models.Model):
    """Failed job that one user has hidden from "Needs attention".

    Without a foreign key constraint to the job: the previous release deletes jobs and does not know
    this table.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,  # dismissed_failure_once serves it
    )
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "job"), name="dismissed_failure_once"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.job_id}"
