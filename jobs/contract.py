"""The closed sets and the limits that the orchestrator, the launchers and the worker share. Pure: no Django, no I/O.

The worker's HTTP protocol, in which these travel, is described in `docs/reference/worker-protocol.md`.
"""

from enum import StrEnum
from typing import NamedTuple


class JobStatus(StrEnum):
    """Status of a job. `jobs.core.states` lists the allowed transitions."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
LIVE = frozenset({JobStatus.LAUNCHING, JobStatus.RUNNING, JobStatus.CANCELLING})


class Priority(StrEnum):
    """Priority classes: a waiting job of a higher class starts first, except for ageing."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


PRIORITIES: tuple[Priority, ...] = (Priority.CRITICAL, Priority.HIGH, Priority.NORMAL, Priority.LOW)


class FailureReason(StrEnum):
    """Why an attempt ended without success. Stable: clients match on it."""

    WORKLOAD_FAILED = (
        "workload_failed"  # the step, the query or the command failed; the message says how
    )
    INVALID_INPUT = (
        "invalid_input"  # the data or the definition does not fit; trying again changes nothing
    )
    SIGNATURE_MISMATCH = "signature_mismatch"  # the data is not what the model was trained on; the message names each difference
    MODEL_CORRUPT = "model_corrupt"  # a model's file is not the one that was stored, or holds what a model may not hold
    EXIT_CODE = "exit_code"  # the workload ended with a code that is not 0
    SIGNAL = "signal"  # the workload was ended by a signal (a segfault, for one)
    OUT_OF_MEMORY = "out_of_memory"
    LOG_LIMIT_EXCEEDED = "log_limit_exceeded"
    ARTIFACT_LIMIT_EXCEEDED = "artifact_limit_exceeded"
    DISK_FULL = "disk_full"  # the worker's own disk
    STORAGE_UNAVAILABLE = "storage_unavailable"  # the artifact storage took no file of it: full, read-only or not reachable
    SOURCE_UNAVAILABLE = "source_unavailable"  # a URL did not answer as it should
    DEADLINE_EXCEEDED = "deadline_exceeded"  # ran longer than timeout_seconds
    LAUNCH_TIMEOUT = "launch_timeout"  # its worker did not claim the job in time
    LAUNCH_FAILED = "launch_failed"  # the launcher refused it
    NEVER_FITS = "never_fits"  # asks for more than any cluster has
    WORKER_LOST = "worker_lost"  # the worker vanished or was killed
    INTERRUPTED = "interrupted"  # the worker was asked to stop by its surroundings (SIGTERM)
    SHUTDOWN = "shutdown"  # Mimir itself was stopped in an orderly way
    STALE_BASE = "stale_base"  # the revision it worked on is no longer the newest
    PROTOCOL = "protocol"  # the worker reported something the orchestrator cannot accept
    CANCELLED = "cancelled"
    # What a Kubernetes cluster tells (launchers/diagnosis). Most are waits first, and become a reason when the launch time-out ends them.
    CLUSTER_UNREACHABLE = (
        "cluster_unreachable"  # its API server does not answer, or not as it should
    )
    CLUSTER_FORBIDDEN = "cluster_forbidden"  # it does not know the orchestrator's account, or gives it no right to run workers
    STARTING = "starting"  # nothing wrong is known: the cluster is at work on it, or waits in a way this release has no word for
    SUSPENDED = (
        "suspended"  # something in the cluster (a queueing controller, a person) holds the Job back
    )
    IMAGE_PULLING = "image_pulling"  # nothing wrong, it takes its time
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_PULL_DENIED = "image_pull_denied"
    IMAGE_PULL_FAILED = "image_pull_failed"  # none of the other causes
    IMAGE_NAME_INVALID = "image_name_invalid"
    IMAGE_NEVER_PULL = (
        "image_never_pull"  # not on the node, and the pull policy forbids to fetch it
    )
    REGISTRY_UNREACHABLE = "registry_unreachable"
    UNSCHEDULABLE = "unschedulable"  # no node takes it, for none of the causes below
    UNSCHEDULABLE_CPU = "unschedulable_cpu"
    UNSCHEDULABLE_MEMORY = "unschedulable_memory"
    UNSCHEDULABLE_GPU = "unschedulable_gpu"
    UNSCHEDULABLE_DISK = "unschedulable_disk"  # ephemeral storage
    UNSCHEDULABLE_SELECTOR = "unschedulable_selector"  # node selector or affinity
    UNSCHEDULABLE_TAINT = "unschedulable_taint"
    UNSCHEDULABLE_VOLUME = "unschedulable_volume"  # its volume cannot be had where there is room
    NODE_REJECTED = "node_rejected"  # the scheduler chose a node, and the node refused it
    QUOTA_EXCEEDED = "quota_exceeded"
    LIMIT_RANGE = "limit_range"
    POD_SECURITY = "pod_security"
    ADMISSION_DENIED = "admission_denied"  # a webhook, a policy or another rule of the API server
    ADMISSION_UNAVAILABLE = "admission_unavailable"  # a webhook does not answer
    MISSING_SECRET = "missing_secret"  # noqa: S105 - a word, no secret
    MISSING_CONFIG_MAP = "missing_config_map"
    MISSING_VOLUME_CLAIM = "missing_volume_claim"
    MISSING_SERVICE_ACCOUNT = "missing_service_account"
    MISSING_PRIORITY_CLASS = "missing_priority_class"
    VOLUME_UNBOUND = "volume_unbound"  # its claim has no volume yet
    MOUNT_FAILED = "mount_failed"
    INIT_FAILED = (
        "init_failed"  # an init container, which the cluster added to the worker's pod, failed
    )
    BAD_COMMAND = "bad_command"  # the image cannot be run: no such command, wrong rights, another architecture
    SANDBOX_FAILED = "sandbox_failed"  # the node's container runtime could not make it
    NETWORK_FAILED = "network_failed"  # the node's network (CNI) could not be set up for it
    EVICTED = "evicted"  # by its node, for none of the causes below
    EVICTED_DISK = "evicted_disk"  # the node ran out of disk
    EVICTED_DISK_LIMIT = "evicted_disk_limit"  # it wrote more than its own limit
    EVICTED_MEMORY = "evicted_memory"  # the node ran out of memory
    EVICTED_BY_REQUEST = "evicted_by_request"  # a drain, an autoscaler, a taint set by a person
    PREEMPTED = "preempted"
    NODE_LOST = "node_lost"
    NODE_SHUTDOWN = "node_shutdown"
    NEVER_CLAIMED = "never_claimed"  # its container was seen to run and did not call; launch_timeout: nobody can see that
    HEARTBEAT_LOST = (
        "heartbeat_lost"  # it fell silent, and its cluster cannot say what became of it
    )
    DELETED_BY_HAND = "deleted_by_hand"
    VANISHED = "vanished"  # gone from the cluster without a trace; worker_lost: the same where there are no traces to look for


class WaitRule(StrEnum):
    """The rule that blocks a waiting job.

    From `paused` on, the cause is a setting or a fault, not a lack of capacity.
    """

    READY = "ready"  # nothing blocks it: it starts at the next pass
    BACK_OFF = "back_off"  # a retry waits for its time
    PREVIOUS_ATTEMPT = "previous_attempt"  # the worker of the previous attempt has not stopped yet
    EXCLUSIVE = "exclusive"  # another job holds its exclusive key
    JOBS_GLOBAL = "jobs_global"
    JOBS_TYPE = "jobs_type"
    JOBS_PROJECT = "jobs_project"
    CAPACITY = "capacity"  # no cluster has free capacity for its requests
    RESERVED = "reserved"  # capacity is reserved for a larger job that waits longer
    NEVER_FITS = "never_fits"
    PAUSED = "paused"
    PROJECT_PAUSED = "project_paused"
    PROJECT_ARCHIVED = "project_archived"
    CLUSTER_UNKNOWN = (
        "cluster_unknown"  # no cluster has the name, or is in the region, that it asks for
    )
    CLUSTER_DISABLED = "cluster_disabled"  # those that could run it are switched off
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    DISPATCHER_AWAY = "dispatcher_away"


class EventKind(StrEnum):
    """The kinds of events of a job, in `GET /api/v1/jobs/<id>/events/`. The last ones are reported by the worker."""

    SUBMITTED = "job.submitted"
    ADMITTED = "job.admitted"  # queued -> launching
    LAUNCHED = "job.launched"  # the launcher has the worker: {"name", "uid"}
    WAITS = (
        "job.waits"  # the cause of a delayed start or of a storage wait: {"category", "summary"}
    )
    CLAIMED = "job.claimed"  # launching -> running
    ATTEMPT_ENDED = "job.attempt_ended"  # -> queued for attempt + 1: {"reason", "message", "diagnosis", "counts", "next_attempt"}
    CANCEL_REQUESTED = "job.cancel_requested"  # -> cancelling
    CANCELLED = "job.cancelled"
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    WORKER_GONE = "job.worker_gone"  # the worker object is gone: its capacity is free
    LOG_CLOSED = "job.log_closed"  # {"end", "complete"}
    STEP_STARTED = "step.started"  # {"step", "uses", "index", "count"}
    STEP_PROGRESS = "step.progress"  # {"step", "fraction"?, "message"}
    STEP_SUCCEEDED = "step.succeeded"  # {"step", "seconds", "rows"?, "bytes"?}
    STEP_FAILED = "step.failed"  # {"step", "seconds", "message"}
    STEP_SKIPPED = "step.skipped"  # {"step"}
    PROGRESS = "progress"  # {"fraction": 0..1 or null, "message"}
    METRIC = "metric"  # {"name", "value", "step"?}
    NOTICE = "notice"  # {"message"}


WORKER_EVENT_KINDS = frozenset(
    {
        EventKind.STEP_STARTED,
        EventKind.STEP_PROGRESS,
        EventKind.STEP_SUCCEEDED,
        EventKind.STEP_FAILED,
        EventKind.STEP_SKIPPED,
        EventKind.PROGRESS,
        EventKind.METRIC,
        EventKind.NOTICE,
    }
)


class FinishStatus(StrEnum):
    """Status in the finish report of a worker."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ArtifactRole(StrEnum):
    """Purpose of an uploaded artifact.

    `artifact` is shown to users; the others become a version when the job succeeds.
    """

    ARTIFACT = "artifact"
    DATASET = "dataset"
    MODEL = "model"
    TWIN = "twin"  # the changes of a twin: see docs/reference/worker-protocol.md


ARTIFACT_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"

HEARTBEAT_SECONDS = 2.0
WORKER_USER_ID = 10001  # of the worker's container; the image is built for it
LOG_LINE_BYTES_MAX = 16 * 1024  # one stored CRI line with its prefix; longer ones become P lines
LOG_CHUNK_BYTES_MAX = 256 * 1024  # one POST of log bytes


def worker_name(job_id: str, attempt: int) -> str:
    """Return the name of an attempt's worker object. It is fixed: a repeated launch finds the first."""
    return f"worker-job-{job_id}-{attempt}"


class WorkerLimits(NamedTuple):
    """Limits of one attempt, sent in the claim's answer.

    A NamedTuple, because importing `dataclasses` takes 10 ms of each worker's start.
    """

    cpu_millicores: int
    memory_bytes: int
    timeout_seconds: int
    grace_seconds: int
    log_bytes: int
    spool_bytes: int
    artifact_bytes: int  # all artifacts of the attempt together
    event_bytes: int  # one event's data as JSON
    event_count: int
    model_cache_bytes: int  # models of the project that its machine keeps between jobs
