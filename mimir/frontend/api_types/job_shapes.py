"""Jobs: rows, diagnosis, waiting reasons, events, attempts, files, usage."""

from typing import Literal, NotRequired, TypedDict

from mimir.lib.json_types import Json, JsonObject


class NextStep(TypedDict):
    """Action that a diagnosis proposes.

    `patch`: changed fields of a new request; empty: run the job again; None: a person must act.
    """

    label: str
    patch: JsonObject | None
    actor: str


class Diagnosis(TypedDict):
    """Why a job failed or does not progress, and what to do."""

    category: str
    code: str
    params: JsonObject
    summary: str
    detail: str
    next_steps: list[NextStep]


class RuleCheck(TypedDict):
    """One admission rule of a waiting job."""

    rule: str
    passes: bool
    detail: str


class Waiting(TypedDict):
    """Why a queued job waits, and for how long."""

    position: int
    blocked_by: str
    detail: str
    estimate_seconds: float | None
    rules: list[RuleCheck]


class Away(TypedDict):
    """Lost contact to the worker or the cluster of a job."""

    what: str
    cluster: str
    since: str
    heard_at: str | None
    lost_at: str | None
    detail: str


class Progress(TypedDict):
    """Progress of a running job; `fraction` from 0 to 1."""

    fraction: float | None
    message: str


class Quantities(TypedDict):
    """Requested CPU, memory and GPUs."""

    cpu: str
    memory: str
    gpu: int


class Resources(TypedDict):
    """Limits and requests of a job."""

    cpu: str
    memory: str
    gpu: int
    requests: Quantities


class Recommended(TypedDict):
    """Limits of a job that are recommended from earlier runs."""

    memory: str | None
    cpu: str | None
    runs: int


class JobResources(TypedDict):
    """Limits and requests of a job, and the limits recommended from earlier runs.

    `memory_max`: largest memory limit of retries after an attempt ran out of memory.
    """

    cpu: str
    memory: str
    gpu: int
    memory_max: str | None
    requests: Quantities
    recommended: Recommended | None


class Compared(TypedDict):
    """Limits with which a recommendation is compared."""

    memory: str
    cpu: str


class Basis(TypedDict):
    """Measurements behind a recommendation."""

    runs: int
    memory_peak_bytes: int | None
    out_of_memory_runs: int
    out_of_memory_limit_bytes: int | None
    cpu_runs: int
    cpu_millicores: int | None
    cpu_at_limit: bool


class Recommendation(TypedDict):
    """Recommended limits; None: keep the limit in `compared_with`."""

    memory: str | None
    cpu: str | None
    compared_with: Compared | None
    basis: Basis


class JobInput(TypedDict):
    """Input of a job. The key with the name of `kind` holds its name; a twin has no version."""

    name: str
    kind: Literal["dataset", "pipeline", "model", "twin"]
    dataset: NotRequired[str]
    pipeline: NotRequired[str]
    model: NotRequired[str]
    twin: NotRequired[str]
    version: NotRequired[int]


class CreatedDataset(TypedDict):
    """Dataset version in a result."""

    name: str
    version: int


class StepResult(TypedDict):
    """Pipeline step in a result."""

    id: str
    uses: NotRequired[str]
    status: NotRequired[str]
    seconds: NotRequired[float | None]
    rows: NotRequired[int | None]


class JobResult(TypedDict, total=False):
    """Result of a job; the fields depend on its type."""

    datasets: list[CreatedDataset]
    steps: list[StepResult]
    rows: int
    model: str
    version: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    twin: str
    revision: int
    created: int
    changed: int
    removed: int


class Job(TypedDict):
    """Job."""

    id: str
    project: str
    name: str
    labels: dict[str, str]
    created_by: str | None
    type: str
    status: str
    status_label: str
    status_text: str
    reason: str
    message: str
    diagnosis: Diagnosis | None
    priority: str
    parameters: JsonObject
    inputs: list[JobInput]
    resources: JobResources
    timeout_seconds: int
    progress: Progress
    attempt: int
    attempts_used: int
    max_attempts: int
    cluster: str | None
    region: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    cancel_requested_at: str | None
    result: JobResult | None
    waiting: Waiting | None
    away: Away | None
    retry_of: str | None


class Event(TypedDict):
    """Event of a job."""

    seq: int
    at: str
    attempt: int
    kind: str
    data: JsonObject


class Attempt(TypedDict):
    """One attempt of a job."""

    number: int
    cluster: str
    reason: str
    message: str
    created_at: str
    launched_at: str | None
    claimed_at: str | None
    ended_at: str | None
    gone_at: str | None
    exit_code: int | None
    exit_signal: int | None
    peak_memory_bytes: int | None
    cpu_sustained_millicores: int | None
    memory_limit_bytes: int
    memory_raised_to_bytes: int | None
    counts: bool
    log_end: int
    log_complete: bool


class Artifact(TypedDict):
    """Output file of a job."""

    name: str
    size_bytes: int
    sha256: str
    media_type: str
    url: str


class UsagePoint(TypedDict):
    """Memory and CPU of a worker at one time."""

    at: str
    memory_bytes: int
    cpu_millicores: int


class UsageSeries(TypedDict):
    """Usage over time, the memory limit, and the limits that fit the last runs of an ended job."""

    results: list[UsagePoint]
    limit_bytes: int | None
    recommendation: Recommendation | None


TimePhase = TypedDict(
    "TimePhase",
    {"cause": str, "from": str, "to": str, "seconds": float, "attempt": int, "detail": str},
)


class CauseTime(TypedDict):
    """Total time of one cause."""

    cause: str
    seconds: float


JobTime = TypedDict(
    "JobTime",
    {
        "from": str,
        "to": str,
        "seconds": float,
        "is_live": bool,
        "phases": list[TimePhase],
        "causes": list[CauseTime],
    },
)


class ComparedValue(TypedDict):
    """A value of two jobs."""

    group: str
    path: str
    unit: str
    a: Json
    b: Json
    in_a: bool
    in_b: bool
    differs: bool


class JobComparison(TypedDict):
    """Two jobs of a project, value by value."""

    a: Job
    b: Job
    rows: list[ComparedValue]
    differing: int
    truncated: bool


class LastSuccess(TypedDict):
    """Earlier successful run to compare a job with; None if there is none."""

    job: Job | None


class Alternative(TypedDict):
    """Changed request that would start clearly sooner, or at all. `request`: JSON merge patch."""

    request: JsonObject
    detail: str
    cluster: str | None
    estimate_seconds: float | None


class Start(Waiting):
    """When a request would start if it were submitted now, or why it would wait."""

    starts_now: bool
    cluster: str | None
    alternatives: list[Alternative]
    retry_memory_limit: str | None


class DryRun(TypedDict):
    """Job that a request would create."""

    valid: bool
    priority: str
    resources: JobResources
    memory_from_job: str | None
    recommendation: Recommendation
    timeout_seconds: int
    max_attempts: int
    cluster: str | None
    region: str | None
    inputs: list[JobInput]
    start: Start | None
