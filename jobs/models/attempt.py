"""Attempts of jobs and the resource usage of their workers."""

from django.db import models
from django.db.models import Q

from jobs.models.cluster import Cluster
from jobs.models.job import Job
from mimir.lib.ids import uuid7


class Attempt(models.Model):
    """One worker launched for a job. Holds its resources until `gone_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(
        Job,
        on_delete=models.CASCADE,
        related_name="attempts",
        db_index=False,  # `attempt_number_once` serves it
    )
    number = models.PositiveIntegerField()
    cluster = models.ForeignKey(
        Cluster,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # `attempt_of_cluster`, without a second index for LIKE
    )
    name = models.CharField(max_length=100)
    uid = models.CharField(
        max_length=64,
        blank=True,
        default="",
        # of the worker object; empty until the launcher has returned it
    )
    cpu_millicores = models.BigIntegerField()  # requested, and held until `gone_at`
    memory_bytes = models.BigIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    memory_limit_bytes = models.BigIntegerField(
        null=True
        # null: admitted by an older release; the limit is in the job's row
    )
    memory_raised_to_bytes = models.BigIntegerField(
        null=True
        # limit of the next attempt, raised because this one ran out of memory
    )

    created_at = models.DateTimeField(auto_now_add=True)
    launched_at = models.DateTimeField(null=True)
    launch_failures = models.PositiveIntegerField(default=0)
    launch_not_before = models.DateTimeField(null=True)
    called_at = models.DateTimeField(
        null=True
        # time of the worker's last claim request that web refused because of overload
    )
    claim_id = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    unheard_heartbeat_at = models.DateTimeField(
        null=True
        # last heartbeat before it was found silent on an unreachable cluster
    )
    unheard_from_seconds = models.FloatField(null=True)  # WebUptime's count at that time
    fenced_at = models.DateTimeField(
        null=True
        # replaced or ended by the platform: later requests are refused, except log appends
    )
    ended_at = models.DateTimeField(null=True)  # it reported its end, or the platform ended it
    end_status = models.CharField(
        max_length=16,
        blank=True,
        default="",
        # status with which its finish was accepted
    )
    reason = models.CharField(max_length=32, blank=True, default="")
    message = models.TextField(blank=True, default="")
    counts = models.BooleanField(default=False)  # counts against max_attempts
    terminate_asked_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(
        null=True
        # worker absent from a list that began after the fence or the end, or declared lost
    )
    cleaned_up_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    exit_signal = models.IntegerField(null=True)
    peak_memory_bytes = models.BigIntegerField(null=True)
    cpu_sustained_millicores = models.BigIntegerField(
        null=True
        # 95th percentile of the usage samples; null unless it succeeded with enough of them
    )
    event_n = models.BigIntegerField(default=0)  # number of the last stored worker event
    waits_for = models.JSONField(
        null=True
        # diagnosis of a start delayed by the cluster, or of unavailable storage, with "since"
    )
    pods_seen = models.JSONField(
        default=list
        # last observed state of each of its pods, reduced by diagnosis.kubernetes.reduce_pod
    )

    log_end = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)  # line ends before log_end
    log_closed_at = models.DateTimeField(null=True)
    log_complete = models.BooleanField(default=False)
    log_object = models.CharField(
        max_length=300,
        null=True,
        # sealed object; null while chunks hold the log; logs.store.NO_OBJECT for an empty log
    )
    log_index = models.JSONField(null=True)  # index of the sealed object: see logs/store.py
    log_seal_not_before = models.DateTimeField(
        null=True
        # back-off after a failure, to let other logs be sealed
    )

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("job", "number"), name="attempt_number_once"),
            # not `unique=True`, which adds an index for LIKE
            models.UniqueConstraint(fields=("name",), name="attempt_name_once"),
        )
        indexes = (
            models.Index(
                fields=("cluster",),
                name="attempt_of_cluster",
                # removal of a cluster: check that it has no attempts
            ),
            models.Index(
                fields=("cluster",),
                condition=Q(gone_at__isnull=True),
                name="attempt_holds_room",
                # admission, reconciler
            ),
            models.Index(
                fields=("created_at",),
                condition=Q(cleaned_up_at__isnull=True),
                name="attempt_to_clean_up",
                # sweep
            ),
            models.Index(
                fields=("created_at",),
                condition=Q(log_object__isnull=True),
                name="attempt_not_sealed",
                # logs_seal; without log_closed_at, so that closing a log writes no index
            ),
        )

    def __str__(self) -> str:
        return self.name


class UsageSample(models.Model):
    """Resource usage of a worker at one heartbeat."""

    attempt = models.ForeignKey(
        Attempt,
        on_delete=models.CASCADE,
        related_name="usage",
        db_index=False,  # `usage_of_attempt` serves it
    )
    at = models.DateTimeField()
    memory_bytes = models.BigIntegerField()
    cpu_millicores = models.BigIntegerField()

    class Meta:
        ordering = ("at",)
        indexes = (
            models.Index(fields=("attempt", "at"), name="usage_of_attempt"),
            # plot of one attempt
        )
