"""State of the installation, and clusters."""

from typing import TypedDict

from mimir.lib.json_types import JsonObject


class Headline(TypedDict):
    """Overall state of the installation."""

    level: str
    message: str
    remedy: str


class Component(TypedDict):
    """Process or service of the installation."""

    component: str
    instance: str
    started_at: str | None
    beat_at: str | None
    age_seconds: float | None
    state: str
    message: str


class QueueLength(TypedDict):
    """Queue of one priority."""

    priority: str
    length: int
    oldest_seconds: float | None


class RunningWorker(TypedDict):
    """Running worker and its usage."""

    job: str
    attempt: int
    project: str
    type: str
    name: str
    cluster: str
    since: str
    memory_bytes: int | None
    memory_limit_bytes: int
    cpu_millicores: int | None
    cpu_limit_millicores: int


class ClusterCapacity(TypedDict):
    """Capacity of a cluster and its use by jobs."""

    cluster: str
    launcher: str
    region: str
    enabled: bool
    state: str
    jobs: int
    used_jobs: int
    cpu_millicores: int | None
    used_cpu_millicores: int
    memory_bytes: int | None
    used_memory_bytes: int
    gpus: int
    used_gpus: int
    starting: int
    start_window: int
    reached_at: str | None
    unreachable_message: str


class LimitInForce(TypedDict):
    """Limit of concurrent jobs."""

    scope: str
    key: str
    max_jobs: int | None
    paused: bool
    running: int


class Storage(TypedDict):
    """Bytes stored and free."""

    artifact_bytes: int
    artifact_free_bytes: int | None
    artifact_total_bytes: int | None
    database_bytes: int
    log_bytes: int


class FailureGroup(TypedDict):
    """Failures of the last day by reason."""

    reason: str
    count: int
    last_at: str
    job: str
    remedy: str


class Reconcile(TypedDict):
    """State of the reconciler."""

    lag_seconds: float | None


class SystemState(TypedDict):
    """State of the installation."""

    headline: Headline
    components: list[Component]
    queues: list[QueueLength]
    workers: list[RunningWorker]
    workers_total: int
    capacity: list[ClusterCapacity]
    limits: list[LimitInForce]
    storage: Storage
    versions: dict[str, str]
    failures: list[FailureGroup]
    reconcile: Reconcile


class CapacityQuantities(TypedDict):
    """Capacity in Kubernetes quantities."""

    jobs: int
    cpu: str | None
    memory: str | None
    gpu: int


class Health(TypedDict):
    """Health of a cluster."""

    state: str
    reached_at: str | None
    unreachable_since: str | None
    message: str


class Cluster(TypedDict):
    """Cluster."""

    name: str
    launcher: str
    enabled: bool
    region: str
    context: str
    namespace: str
    orchestrator_url: str
    model_cache: str
    node_selector: dict[str, str]
    tolerations: list[JsonObject]
    gpu_node_selector: dict[str, str]
    gpu_tolerations: list[JsonObject]
    away_grace_seconds: int
    capacity: CapacityQuantities
    used: CapacityQuantities
    health: Health


class Place(TypedDict):
    """Cluster as a user without administrator rights sees it."""

    name: str
    region: str
    enabled: bool
