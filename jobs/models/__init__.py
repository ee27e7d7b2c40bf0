"""Rows of jobs: the truth. Who writes them: `services` only. Who reads them: `selectors`, the admin.

Lock order, everywhere: the admission lock, then the Job, then the Attempt. Appending to a log takes the Attempt alone.
"""

from enum import StrEnum

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Collate, Reverse

from jobs.contract import ArtifactRole, JobStatus, Priority
from jobs.models.loops import Lease as Lease
from jobs.models.loops import LoopBeat as LoopBeat
from jobs.models.loops import WebUptime as WebUptime
from mimir.lib.ids import uuid7


def _choices(enum: type) -> list[tuple[str, str]]:
    return [(member.value, member.value) for member in enum]  # type: ignore[attr-defined]


ARTIFACTS = "artifacts"  # the folder of their objects in the storage
ENDED = Q(status__in=(JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED))


def producer() -> Coalesce:
    """With the type: what a job is a run of. A pipeline's name, or the dataset, model or twin that it makes a version of."""
    return Coalesce(
        *(KeyTextTransform(name, "parameters") for name in ("pipeline", "output", "model", "twin"))
    )


def search_text() -> Func:
    """The titles of a job, given and derived, one a line: what lists show and a search finds. See migration 0014."""
    return Func(
        F("name"), F("type"), F("parameters"), function="jobs_search_text", output_field=TextField()
    )


def search_parts() -> Func:
    """Upper-cased 1- to 3-grams of the search text, indexed for substring search."""
    return Func(search_text(), function="jobs_text_parts")


def id_from_its_end() -> Collate:
    """A job's id, last character first, so that an index finds the end of one."""
    return Collate(Reverse(Cast("id", TextField())), "C")


class ModelCache(StrEnum):
    """Where a cluster's workers keep models between jobs."""

    EMPTY_DIR = "empty_dir"  # nowhere: each worker has its own, which goes with it
    CLAIM = "claim"  # the PersistentVolumeClaim model-cache-pvc, a folder for each project


class Cluster(models.Model):
    """A target that launches workers, how to reach it, and the room it has."""

    name = models.CharField(max_length=63, primary_key=True)
    launcher = models.CharField(max_length=16, default="process")
    enabled = models.BooleanField(default=True)
    region = models.CharField(max_length=63, blank=True, default="")
    context = models.CharField(
        max_length=253, blank=True, default=""
    )  # of KUBECONFIG_FILE; empty: the cluster we run in
    namespace = models.CharField(
        max_length=63, blank=True, default=""
    )  # of its workers; empty: WORKER_NAMESPACE
    orchestrator_url = models.URLField(
        max_length=500, blank=True, default=""
    )  # as its workers reach us; empty: ORCHESTRATOR_URL
    model_cache = models.CharField(
        max_length=16, choices=_choices(ModelCache), default=ModelCache.EMPTY_DIR
    )
    node_selector = models.JSONField(default=dict, blank=True)  # of every worker
    tolerations = models.JSONField(default=list, blank=True)
    gpu_node_selector = models.JSONField(
        default=dict, blank=True
    )  # of workers with GPUs, beside those above
    gpu_tolerations = models.JSONField(default=list, blank=True)
    capacity_jobs = models.PositiveIntegerField()
    capacity_cpu_millicores = models.BigIntegerField()
    capacity_memory_bytes = models.BigIntegerField()
    capacity_gpus = models.PositiveIntegerField(default=0)
    installation = models.UUIDField(
        default=uuid7, editable=False
    )  # the label its worker objects bear
    reached_at = models.DateTimeField(null=True)  # the last list that succeeded
    unreachable_since = models.DateTimeField(null=True)
    unreachable_message = models.TextField(blank=True, default="")
    away_grace_seconds = models.PositiveIntegerField(
        default=600, db_default=600
    )  # before a worker there that is not heard of is given up
    away_seconds = models.FloatField(
        default=0.0, db_default=0.0
    )  # asked in vain, counted by WebUptime: see services/away.py
    away_web_seconds = models.FloatField(null=True)  # WebUptime's count when that was last raised

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """What a user asked, and where it stands."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey("projects.Project", on_delete=models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=200, blank=True, default="")
    labels = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    retry_of = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="retries"
    )

    type = models.CharField(max_length=32)  # a package of `jobs.types`
    priority = models.CharField(max_length=16, choices=_choices(Priority))
    parameters = models.JSONField()
    inputs = models.JSONField(default=list)  # every version fixed at submit: see services/submit.py
    exclusive_key = models.CharField(max_length=200, blank=True, default="")
    cluster = models.CharField(
        max_length=63, blank=True, default=""
    )  # the one it asks for, by name; empty: any
    region = models.CharField(
        max_length=63, blank=True, default=""
    )  # the one it asks for; empty: any
    resources = models.JSONField()  # {"limits": {…}, "requests": {…}} of resources.Amounts as dicts
    timeout_seconds = models.PositiveIntegerField()
    max_attempts = models.PositiveSmallIntegerField(default=1)
    idempotency_key = models.CharField(max_length=200, null=True)
    idempotency_digest = models.CharField(max_length=64, blank=True, default="")

    status = models.CharField(max_length=16, choices=_choices(JobStatus), default=JobStatus.QUEUED)
    reason = models.CharField(max_length=32, blank=True, default="")
    message = models.TextField(blank=True, default="")
    diagnosis = models.JSONField(null=True)
    result = models.JSONField(null=True)
    progress_fraction = models.FloatField(null=True)
    progress_message = models.CharField(max_length=500, blank=True, default="")
    attempt = models.PositiveIntegerField(
        default=1
    )  # the number of the present, or else the next attempt
    attempts_used = models.PositiveIntegerField(
        default=0
    )  # ended attempts that count against max_attempts
    infrastructure_failures = models.PositiveIntegerField(default=0)
    event_seq = models.BigIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(auto_now_add=True)  # the place in the line; kept over retries
    not_before = models.DateTimeField(null=True)  # back-off of a retry
    started_at = models.DateTimeField(null=True)  # the first claim
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    class Meta:
        ordering = (F("created_at").desc(), F("id").desc())
        constraints = (
            models.UniqueConstraint(
                fields=("project", "created_by", "idempotency_key"),
                condition=Q(idempotency_key__isnull=False),
                nulls_distinct=False,  # jobs without a user: the system's own. A deleted user's jobs lose their keys by a trigger.
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
                fields=("project", "-created_at", "-id"), name="job_list"
            ),  # a project's list, newest first
            models.Index(
                fields=("project", "status", "-created_at"), name="job_list_by_status"
            ),  # the list's filter, counts
            models.Index(
                fields=("queued_at",), condition=Q(status="queued"), name="job_queue"
            ),  # the admission's snapshot
            models.Index(
                fields=("status",),
                condition=Q(status__in=("launching", "running", "cancelling")),
                name="job_live",
            ),  # the sweep, the reconciler, the counts of running jobs
            # retention, and what ended in the last 24 hours
            models.Index(
                fields=("finished_at",), condition=Q(finished_at__isnull=False), name="job_finished"
            ),
            # the admin's filters; a reason stands at those alone that did not succeed
            models.Index(
                F("status"), F("created_at").desc(), F("id").desc(), name="job_status_newest"
            ),
            models.Index(
                F("reason"),
                F("created_at").desc(),
                F("id").desc(),
                condition=~Q(reason=""),
                name="job_reason_newest",
            ),
            models.Index(
                F("created_at").desc(), F("id").desc(), name="job_newest"
            ),  # the admin's list
            # the runs of one producer, newest first; the list's filter by a rare type
            models.Index(
                "project", "type", producer(), F("created_at").desc(), name="job_producer"
            ),
            GinIndex(
                fields=("labels",), fastupdate=False, name="job_labels"
            ),  # the list's filter by label
            GinIndex(
                search_parts(), gin_pending_list_limit=512, name="job_search_parts"
            ),  # the list's search in titles
            models.Index(
                id_from_its_end(), name="job_id_end"
            ),  # the list's search by the end of an id
        )

    def __str__(self) -> str:
        return f"{self.name or self.type} {str(self.id)[-8:]}"


class Attempt(models.Model):
    """One launched worker of a job. Holds its room until `gone_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100, unique=True)
    uid = models.CharField(
        max_length=64, blank=True, default=""
    )  # of the worker object, once the launcher answered
    cpu_millicores = models.BigIntegerField()  # what it requests: the room it holds
    memory_bytes = models.BigIntegerField()
    gpus = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)
    launched_at = models.DateTimeField(null=True)
    launch_failures = models.PositiveIntegerField(default=0)
    launch_not_before = models.DateTimeField(null=True)
    claim_id = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    unheard_heartbeat_at = models.DateTimeField(
        null=True
    )  # the heartbeat after which it was found silent, its cluster being away
    unheard_from_seconds = models.FloatField(null=True)  # WebUptime's count when that was found
    fenced_at = models.DateTimeField(
        null=True
    )  # superseded or ended by us: it may change nothing any more
    ended_at = models.DateTimeField(null=True)  # it ended the job, or a reason made it end
    end_status = models.CharField(
        max_length=16, blank=True, default=""
    )  # what its finish was accepted as
    reason = models.CharField(max_length=32, blank=True, default="")
    message = models.TextField(blank=True, default="")
    counts = models.BooleanField(default=False)  # it used up one of the user's attempts
    terminate_asked_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(
        null=True
    )  # seen gone in a list begun after the fence or the end, or given up with its cluster
    cleaned_up_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    exit_signal = models.IntegerField(null=True)
    peak_memory_bytes = models.BigIntegerField(null=True)
    event_n = models.BigIntegerField(default=0)  # the highest worker event stored
    waits_for = models.JSONField(
        null=True
    )  # of a launching worker, what its cluster says it waits for: a diagnosis with "since"
    pods_seen = models.JSONField(
        default=list
    )  # the last state seen of each of its pods, as launchers.diagnosis.remember cuts them

    log_end = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)  # line ends before log_end
    log_closed_at = models.DateTimeField(null=True)
    log_complete = models.BooleanField(default=False)
    log_object = models.CharField(
        max_length=300, null=True
    )  # the sealed object; null while chunks hold the log
    log_index = models.JSONField(null=True)  # of the sealed object: see selectors/logs_store.py
    log_seal_not_before = models.DateTimeField(
        null=True
    )  # after a failure: others are sealed first

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("job", "number"), name="attempt_number_once"),
        )
        indexes = (
            models.Index(
                fields=("cluster",), condition=Q(gone_at__isnull=True), name="attempt_holds_room"
            ),  # admission, reconciler
            models.Index(
                fields=("created_at",),
                condition=Q(cleaned_up_at__isnull=True),
                name="attempt_to_clean_up",
            ),  # sweep
            models.Index(
                fields=("log_closed_at",),
                condition=Q(log_closed_at__isnull=False, log_object__isnull=True),
                name="attempt_log_to_seal",
            ),  # logs_seal_due
        )

    def __str__(self) -> str:
        return self.name


class JobEvent(models.Model):
    """One thing that happened to a job. `seq` counts from 1 without gaps within the job."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    actor = models.CharField(
        max_length=160
    )  # "user:<name>", "worker:<attempt id>", "dispatcher", "reconciler", "admin:<name>"
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("seq",)
        constraints = (
            models.UniqueConstraint(fields=("job", "seq"), name="event_seq_once"),
        )  # also the read after a seq

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class LogChunk(models.Model):
    """Stored bytes [start, end) of an attempt's log, zlib-compressed, until the log is sealed."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="log_chunks")
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    first_line = models.BigIntegerField()  # line ends before start
    data = models.BinaryField()

    class Meta:
        ordering = ("start",)
        constraints = (
            models.UniqueConstraint(fields=("attempt", "start"), name="log_chunk_start_once"),
        )  # also the read at an offset


class Artifact(models.Model):
    """A file an attempt left. Shown to people once, and only if, its attempt is the job's last or it succeeded."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=200)
    role = models.CharField(
        max_length=16, choices=_choices(ArtifactRole), default=ArtifactRole.ARTIFACT
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
    """One version a job was fixed on, as a row, so that a version can tell who used it. `Job.inputs` says the same in the worker's words."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="input_rows")
    dataset_version = models.ForeignKey(
        "projects.DatasetVersion", null=True, on_delete=models.CASCADE, related_name="+"
    )
    pipeline_version = models.ForeignKey(
        "projects.PipelineVersion", null=True, on_delete=models.CASCADE, related_name="+"
    )
    model_version = models.ForeignKey(
        "projects.ModelVersion", null=True, on_delete=models.CASCADE, related_name="+"
    )
    twin = models.ForeignKey(
        "projects.Twin", null=True, on_delete=models.CASCADE, related_name="+"
    )  # at the revision of its claim


class JobOutput(models.Model):
    """What a job made in its project: the link from a version to the job, kept on this side so that projects knows no job."""

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
    """A failed job that one user does not want to see under "Needs attention" any more.

    Without a foreign key constraint to the job: the release before this one deletes jobs and does not know this table.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "job"), name="dismissed_failure_once"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.job_id}"


class UsageSample(models.Model):
    """What a worker used at one heartbeat."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="usage")
    at = models.DateTimeField()
    memory_bytes = models.BigIntegerField()
    cpu_millicores = models.BigIntegerField()

    class Meta:
        ordering = ("at",)
        indexes = (
            models.Index(fields=("attempt", "at"), name="usage_of_attempt"),
        )  # the plot of one attempt


class Limit(models.Model):
    """An administrator's limit or pause. `key` is empty for `global`, a job type for `type`, a project's slug for `project`."""

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


class Metric(StrEnum):
    """What is counted for `/metrics`. docs/metrics.md has the names that Prometheus knows them by."""

    SUBMITTED = "submitted"
    FINISHED = "finished"  # jobs by end status; label: the reason
    TRIED_AGAIN = (
        "tried_again"  # attempts after which the job went back in the line; label: the reason
    )
    LAUNCH = "launch"  # attempts by the time from admission to claim; label: the bucket, amount: microseconds
    DURATION = "duration"  # jobs by the time from first claim to end; label: the bucket, amount: microseconds
    LOG = "log"  # closed logs; amount: bytes


class _Counted(models.Model):
    """Integers only: sums of them do not depend on the order, so that folding never changes a total, not by a rounding either."""

    metric = models.CharField(max_length=16)  # a Metric
    type = models.CharField(max_length=32)  # of the job
    status = models.CharField(max_length=16, blank=True, default="")
    label = models.CharField(max_length=32, blank=True, default="")
    count = models.BigIntegerField(default=1)
    amount = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class MetricDelta(_Counted):
    """Something that was counted, in the transaction that made it true. Appended only: no row that two transactions wait for."""


class MetricTotal(_Counted):
    """What the leader has folded deltas into. A reader adds both tables in one snapshot."""

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("metric", "type", "status", "label"), name="metric_total_once"
            ),
        )
