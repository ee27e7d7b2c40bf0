"""Jobs."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from jobs.contract import JobStatus, Priority
from jobs.models.expressions import choices, line_key, producer, queue_key
from mimir.lib.ids import uuid7

ENDED = Q(status__in=(JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED))


class Job(models.Model):
    """Submitted job: its request, its resolved inputs and its state.

    Each change of the status writes every index of this table. Indexes of columns that never
    change belong to `JobSearch`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        "projects.Project",
        on_delete=models.PROTECT,
        related_name="jobs",
        db_index=False,  # `job_list` serves it
    )
    name = models.CharField(max_length=200, blank=True, default="")
    labels = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    retry_of = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="retries",
        db_index=False,  # `job_retry_of` serves it, for retries only
    )

    type = models.CharField(max_length=32)  # a package of `jobs.types`
    priority = models.CharField(max_length=16, choices=choices(Priority))
    parameters = models.JSONField()
    inputs = models.JSONField(default=list)  # versions resolved at submit: see lifecycle/submit.py
    exclusive_key = models.CharField(max_length=200, blank=True, default="")
    cluster = models.CharField(
        max_length=63,
        blank=True,
        default="",
        # requested by name; empty: any
    )
    region = models.CharField(
        max_length=63,
        blank=True,
        default="",
        # requested; empty: any
    )
    resources = models.JSONField()
    # {"limits": {…}, "requests": {…}}, see core.resources; with "recommended": {…} if they are from
    # earlier runs, see core.recommended
    memory_max_bytes = models.BigIntegerField(
        null=True
        # largest memory limit of retries after attempts that ran out of memory; null: not raised
    )
    memory_raised_from_bytes = models.BigIntegerField(
        null=True
        # memory limit before the first increase, of this job or of the run it took its memory from
    )
    timeout_seconds = models.PositiveIntegerField()
    max_attempts = models.PositiveSmallIntegerField(default=1)
    idempotency_key = models.CharField(max_length=200, null=True)
    idempotency_digest = models.CharField(max_length=64, blank=True, default="")

    status = models.CharField(max_length=16, choices=choices(JobStatus), default=JobStatus.QUEUED)
    reason = models.CharField(max_length=32, blank=True, default="")
    message = models.TextField(blank=True, default="")
    diagnosis = models.JSONField(null=True)
    result = models.JSONField(null=True)
    progress_fraction = models.FloatField(null=True)
    progress_message = models.CharField(max_length=500, blank=True, default="")
    attempt = models.PositiveIntegerField(
        default=1
        # number of the current or next attempt
    )
    attempts_used = models.PositiveIntegerField(
        default=0
        # ended attempts that count against max_attempts
    )
    infrastructure_failures = models.PositiveIntegerField(default=0)
    event_seq = models.BigIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(auto_now_add=True)  # queue order; unchanged by retries
    not_before = models.DateTimeField(null=True)  # back-off of a retry
    started_at = models.DateTimeField(null=True)  # first claim
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    class Meta:
        ordering = (F("created_at").desc(), F("id").desc())
        constraints = (
            models.UniqueConstraint(
                fields=("project", "created_by", "idempotency_key"),
                condition=Q(idempotency_key__isnull=False),
                # Jobs without a user belong to the system. A trigger clears the keys of a deleted
                # user's jobs.
                nulls_distinct=False,
                name="job_idempotency_key_once",
            ),
            models.CheckConstraint(
                condition=(ENDED & Q(finished_at__isnull=False))
                | (~ENDED & Q(finished_at__isnull=True)),
                name="job_finished_at_if_ended",
            ),
        )
        indexes = (
            models.Index(
                fields=("project", "-created_at", "-id"),
                name="job_list",
                # list of a project, newest first
            ),
            models.Index(
                fields=("project", "status", "-created_at"),
                name="job_list_by_status",
                # list filtered by status, counts
            ),
            models.Index(
                *queue_key(),
                condition=Q(status="queued"),
                name="job_queue_groups",
                # admission, counts of waiting jobs
            ),
            models.Index(
                *line_key(),
                condition=Q(status="queued"),
                name="job_queue_lines",
                # admission with many different requests
            ),
            models.Index(
                fields=("status",),
                condition=Q(status__in=("launching", "running", "cancelling")),
                name="job_live",
                # sweep, reconciler, counts of running jobs
            ),
            # retention; jobs that ended in the last 24 hours
            models.Index(
                fields=("finished_at",), condition=Q(finished_at__isnull=False), name="job_finished"
            ),
            # admin filters; the partial indexes of waiting and live jobs serve the other statuses,
            # and only jobs that did not succeed have a reason
            models.Index(
                F("status"),
                F("created_at").desc(),
                F("id").desc(),
                condition=ENDED,
                name="job_ended_newest",
            ),
            models.Index(
                F("reason"),
                F("created_at").desc(),
                F("id").desc(),
                condition=~Q(reason=""),
                name="job_reason_newest",
            ),
            models.Index(
                F("created_at").desc(),
                F("id").desc(),
                name="job_newest",
                # admin list
            ),
            models.Index(
                fields=("retry_of",),
                condition=Q(retry_of__isnull=False),
                name="job_retry_of",
                # deletion of the retried job
            ),
            # runs of one producer, newest first; list filtered by a rare type
            models.Index(
                "project", "type", producer(), F("created_at").desc(), name="job_producer"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name or self.type} {str(self.id)[-8:]}"
