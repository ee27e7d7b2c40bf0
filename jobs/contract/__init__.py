"""Enums and limits shared by the orchestrator, the launchers and the worker.

Pure: no Django, no I/O. `protocol` has the bodies of the worker protocol, which
`docs/reference/worker-protocol.md` specifies; `job_parameters` the parameters of each job type.
The worker's image contains this package, so this package imports only `mimir.lib`.
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
    """Reason of an attempt that ended without success. Stable: clients match on it."""

    WORKLOAD_FAILED = "workload_failed"  # a step, query or command failed; see the message
    INVALID_INPUT = "invalid_input"  # the data or the definition is wrong; retries do not help
    # The data differs from the model's training data. The message lists the differences.
    SIGNATURE_MISMATCH = "signature_mismatch"
    # The model's file was modified, or contains types that a model must not contain.
    MODEL_CORRUPT = "model_corrupt"
    EXIT_CODE = "exit_code"  # the workload exited with a code other than 0
    SIGNAL = "signal"  # a signal ended the workload, for example a segmentation fault
    OUT_OF_MEMORY = "out_of_memory"
    LOG_LIMIT_EXCEEDED = "log_limit_exceeded"
    ARTIFACT_LIMIT_EXCEEDED = "artifact_limit_exceeded"
    DISK_FULL = "disk_full"  # the worker's own disk
    # The artifact storage is full, read-only or unreachable.
    STORAGE_UNAVAILABLE = "storage_unavailable"
    SOURCE_UNAVAILABLE = "source_unavailable"  # a URL gave no valid response
    DEADLINE_EXCEEDED = "deadline_exceeded"  # ran longer than timeout_seconds
    LAUNCH_TIMEOUT = "launch_timeout"  # its worker did not claim the job in time
    LAUNCH_FAILED = "launch_failed"  # the launcher refused it
    NEVER_FITS = "never_fits"  # requests more than any cluster has
    WORKER_LOST = "worker_lost"  # the worker vanished or was killed
    INTERRUPTED = "interrupted"  # the worker got SIGTERM from its environment
    SHUTDOWN = "shutdown"  # Mimir itself was stopped in an orderly way
    STALE_BASE = "stale_base"  # the base revision of its update is no longer the newest
    PROTOCOL = "protocol"  # the worker's report is invalid for the orchestrator
    CANCELLED = "cancelled"
    # Reported by a Kubernetes cluster (jobs/diagnosis). Most are waiting reasons first, and become
    # the failure reason when the launch timeout ends the wait.
    CLUSTER_UNREACHABLE = "cluster_unreachable"  # no valid response of its API server
    # The orchestrator's account is unknown there or has no permission to run workers.
    CLUSTER_FORBIDDEN = "cluster_forbidden"
    # No fault is known: the start is in progress, or waits for a cause unknown to this release.
    STARTING = "starting"
    SUSPENDED = "suspended"  # a queueing controller or a person suspends the Kubernetes Job
    IMAGE_PULLING = "image_pulling"  # no fault: the pull takes time
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_PULL_DENIED = "image_pull_denied"
    IMAGE_PULL_FAILED = "image_pull_failed"  # any other cause
    IMAGE_NAME_INVALID = "image_name_invalid"
    IMAGE_NEVER_PULL = "image_never_pull"  # not on the node, and the policy forbids pulling
    REGISTRY_UNREACHABLE = "registry_unreachable"
    UNSCHEDULABLE = "unschedulable"  # no node is suitable, for none of the causes below
    UNSCHEDULABLE_CPU = "unschedulable_cpu"
    UNSCHEDULABLE_MEMORY = "unschedulable_memory"
    UNSCHEDULABLE_GPU = "unschedulable_gpu"
    UNSCHEDULABLE_DISK = "unschedulable_disk"  # ephemeral storage
    UNSCHEDULABLE_SELECTOR = "unschedulable_selector"  # node selector or affinity
    UNSCHEDULABLE_TAINT = "unschedulable_taint"
    # Its volume is not available on the nodes with free capacity.
    UNSCHEDULABLE_VOLUME = "unschedulable_volume"
    NODE_REJECTED = "node_rejected"  # the chosen node rejected the pod
    QUOTA_EXCEEDED = "quota_exceeded"
    LIMIT_RANGE = "limit_range"
    POD_SECURITY = "pod_security"
    ADMISSION_DENIED = "admission_denied"  # by a webhook, a policy or a rule of the API server
    ADMISSION_UNAVAILABLE = "admission_unavailable"  # a webhook does not answer
    MISSING_SECRET = "missing_secret"  # noqa: S105 - an enum value, not a secret
    MISSING_CONFIG_MAP = "missing_config_map"
    MISSING_VOLUME_CLAIM = "missing_volume_claim"
    MISSING_SERVICE_ACCOUNT = "missing_service_account"
    MISSING_PRIORITY_CLASS = "missing_priority_class"
    VOLUME_UNBOUND = "volume_unbound"  # its claim has no volume yet
    MOUNT_FAILED = "mount_failed"
    INIT_FAILED = "init_failed"  # an init container added to the worker's pod failed
    # The image cannot be run: command not found, not executable, or another architecture.
    BAD_COMMAND = "bad_command"
    SANDBOX_FAILED = "sandbox_failed"  # the node's container runtime could not create the sandbox
    NETWORK_FAILED = "network_failed"  # the node's network (CNI) could not be set up
    EVICTED = "evicted"  # by its node, for none of the causes below
    EVICTED_DISK = "evicted_disk"  # the node ran out of disk
    EVICTED_DISK_LIMIT = "evicted_disk_limit"  # it exceeded its own disk limit
    EVICTED_MEMORY = "evicted_memory"  # the node ran out of memory
    EVICTED_BY_REQUEST = "evicted_by_request"  # a drain, an autoscaler, a taint set by a person
    PREEMPTED = "preempted"
    NODE_LOST = "node_lost"
    NODE_SHUTDOWN = "node_shutdown"
    # Its container ran but did not call. `launch_timeout`: the same where this cannot be observed.
    NEVER_CLAIMED = "never_claimed"
    HEARTBEAT_LOST = "heartbeat_lost"  # no heartbeat, and no observation by its cluster
    DELETED_BY_HAND = "deleted_by_hand"
    # Gone, and the cluster does not show why. `worker_lost`: the same without a cluster to observe.
    VANISHED = "vanished"


class WaitRule(StrEnum):
    """Rule that blocks a waiting job.

    From `paused` on, the cause is a setting or a fault, not a lack of capacity.
    """

    READY = "ready"  # nothing blocks it: it starts at the next pass
    BACK_OFF = "back_off"  # a retry waits for its retry delay
    PREVIOUS_ATTEMPT = "previous_attempt"  # the worker of the previous attempt has not stopped yet
    EXCLUSIVE = "exclusive"  # another job holds its exclusive key
    JOBS_GLOBAL = "jobs_global"
    JOBS_TYPE = "jobs_type"
    JOBS_PROJECT = "jobs_project"
    CAPACITY = "capacity"  # no cluster has free capacity for its requests
    RESERVED = "reserved"  # capacity is reserved for a larger job that waits longer
    CLUSTER_STARTING = "cluster_starting"  # as many workers are starting as its start window allows
    NEVER_FITS = "never_fits"
    PAUSED = "paused"
    PROJECT_PAUSED = "project_paused"
    PROJECT_ARCHIVED = "project_archived"
    CLUSTER_UNKNOWN = "cluster_unknown"  # no cluster has the requested name or region
    CLUSTER_DISABLED = "cluster_disabled"  # every cluster that could run it is disabled
    CLUSTER_UNREACHABLE = "cluster_unreachable"
    DISPATCHER_AWAY = "dispatcher_away"


class EventKind(StrEnum):
    """Kinds of job events in `GET /api/v1/jobs/<id>/events/`.

    Workers report the kinds in WORKER_EVENT_KINDS; the orchestrator writes the others.
    """

    SUBMITTED = "job.submitted"
    ADMITTED = "job.admitted"  # queued -> launching
    LAUNCHED = "job.launched"  # the worker object exists: {"name", "uid"}
    WAITS = (
        "job.waits"  # the cause of a delayed start or of a storage wait: {"category", "summary"}
    )
    CLAIMED = "job.claimed"  # launching -> running
    # -> queued, for attempt + 1: {"reason", "message", "diagnosis", "counts", "next_attempt",
    # "not_before"}
    ATTEMPT_ENDED = "job.attempt_ended"
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
    PROGRESS = "progress"  # {"fraction": 0..1 or null, "message", "stage"?: a WorkStage}
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


class WorkStage(StrEnum):
    """Stage of a job without steps. A `progress` event names the stage that begins."""

    IMPORTING = "importing"  # libraries
    READING = "reading"  # inputs
    TRAINING = "training"
    EVALUATING = "evaluating"
    PREDICTING = "predicting"
    COMPARING = "comparing"  # rows with the state of a twin
    SAVING = "saving"  # results: writing and uploading them


class FinishStatus(StrEnum):
    """Status in the finish report of a worker."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ArtifactRole(StrEnum):
    """Purpose of an uploaded artifact.

    Users see an `artifact`. The others become a version or a revision when the job succeeds.
    """

    ARTIFACT = "artifact"
    DATASET = "dataset"
    MODEL = "model"
    TWIN = "twin"  # changes of a twin: see docs/reference/worker-protocol.md


ARTIFACT_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"

HEARTBEAT_SECONDS = 2.0
WORKER_USER_ID = 10001  # in the worker's container; the image is built for it
LOG_LINE_BYTES_MAX = 16 * 1024  # one stored CRI line with its prefix; longer lines are partial (P)
LOG_CHUNK_BYTES_MAX = 256 * 1024  # one POST of log bytes


def worker_name(job_id: str, attempt: int) -> str:
    """Return the name of an attempt's worker object.

    It is deterministic: a repeated launch finds the object of the first.
    """
    return f"worker-job-{job_id}-{attempt}"


class WorkerLimits(NamedTuple):
    """Limits of one attempt, sent in the claim's response.

    A NamedTuple, because importing `dataclasses` adds 10 ms to each worker's start.
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
    model_cache_bytes: int  # limit of the project's model cache on the worker's machine
