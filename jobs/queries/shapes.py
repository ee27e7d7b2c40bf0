"""API bodies of jobs, summaries and lineage.

Each matches a serializer of `jobs.api`, which a test checks. Times are datetimes unless a field
says ISO 8601.
"""

import datetime as dt
from collections.abc import Mapping
from typing import TypedDict
from uuid import UUID

from jobs.admission.shapes import WaitingBody
from jobs.core.recommended import RecommendedBody
from jobs.diagnosis.message import DiagnosisBody, NextStepBody
from jobs.queries.recommendation import RecommendationBody
from jobs.reconcile.silence import AwayBody
from jobs.types.inputs import PublicInput
from jobs.types.outcome import JobResult
from mimir.lib.json_types import Json, JsonObject


class QuantitiesBody(TypedDict):
    """Kubernetes quantities."""

    cpu: str
    memory: str
    gpu: int


class ResourcesBody(QuantitiesBody):
    """Limits. `requests`: the amounts that a worker reserves."""

    requests: QuantitiesBody


class JobResourcesBody(ResourcesBody):
    """Resources of a job.

    `memory_max`: largest memory limit of retries after attempts that ran out of memory.
    `recommended`: limits from earlier runs.
    """

    memory_max: str | None
    recommended: RecommendedBody | None


class ProgressBody(TypedDict):
    """Progress of a job; `fraction` from 0 to 1, or None if unknown."""

    fraction: float | None
    message: str


class JobBody(TypedDict):
    """A job; JSON values only, times in ISO 8601.

    `labels`, `parameters` and `result` are the user's JSON; `diagnosis`, `inputs` and `away` are
    described in the OpenAPI document.
    """

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
    diagnosis: DiagnosisBody | None
    priority: str
    parameters: Mapping[str, Json]
    inputs: list[PublicInput]
    resources: JobResourcesBody
    timeout_seconds: int
    progress: ProgressBody
    attempt: int
    attempts_used: int
    max_attempts: int
    cluster: str | None
    region: str | None
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    cancel_requested_at: str | None
    result: JobResult | None
    waiting: WaitingBody | None
    away: AwayBody | None
    retry_of: str | None


class AlternativeBody(TypedDict):
    """A changed request that would start clearly sooner, or at all.

    `request`: JSON merge patch of the request. `estimate_seconds` 0: it would start now; None:
    unknown, but no cluster can hold the unchanged request.
    """

    request: JsonObject
    detail: str
    cluster: str | None
    estimate_seconds: float | None


class StartBody(WaitingBody):
    """When a valid request would start if it were submitted now, or why it would wait.

    `cluster`: where it would start; None if unknown. `retry_memory_limit`: the largest memory limit
    of a retry that a cluster can hold, if `memory_max` is more.
    """

    starts_now: bool
    cluster: str | None
    alternatives: list[AlternativeBody]
    retry_memory_limit: str | None


class DryRunBody(TypedDict):
    """A valid request with its defaults and inputs, of a job that was not submitted.

    `start`: None unless it was requested.
    """

    valid: bool
    priority: str
    resources: JobResourcesBody
    memory_from_job: UUID | None
    recommendation: RecommendationBody
    timeout_seconds: int
    max_attempts: int
    cluster: str | None
    region: str | None
    inputs: list[PublicInput]
    start: StartBody | None


class UsagePointBody(TypedDict):
    """Largest use around a time (ISO 8601)."""

    at: str
    memory_bytes: int
    cpu_millicores: int


class UsageSeriesBody(TypedDict):
    """Use of an attempt over time, its memory limit, and the limits that fit earlier runs."""

    results: list[UsagePointBody]
    limit_bytes: int | None
    recommendation: RecommendationBody | None


class JobTypeBody(TypedDict):
    """A job type. `parameters`: JSON Schema."""

    type: str
    title: str
    icon: str
    summary: str
    heading: str
    button: str
    job_title: str
    subject: str | None
    output: str | None
    parameters: JsonObject
    resources: ResourcesBody
    default_priority: str
    reads: list[str]
    produces: list[str]


class EventBody(TypedDict):
    """An event of a job; `data` depends on its kind."""

    seq: int
    at: str
    attempt: int
    kind: str
    data: Mapping[str, Json]


class CountsBody(TypedDict):
    """Jobs ended in the last 24 hours, and running and waiting now."""

    succeeded: int
    failed: int
    cancelled: int
    running: int
    waiting: int


class HourBody(TypedDict):
    """Jobs that ended in one hour."""

    at: dt.datetime
    succeeded: int
    failed: int
    cancelled: int


class AttentionBody(TypedDict):
    """Item of the list "Needs attention"."""

    kind: str
    job: JobBody | None
    title: str
    summary: str
    next_steps: list[NextStepBody]


class ResultBody(TypedDict):
    """A version made by a job."""

    kind: str
    name: str
    version: int
    job: UUID
    at: dt.datetime


class UsageBody(TypedDict):
    """Resources held by a project's workers."""

    running: int
    limit: int | None
    cpu_millicores: int
    memory_bytes: int


class RunBody(TypedDict):
    """One run of a producer."""

    job: UUID
    status: str
    seconds: float | None
    finished_at: dt.datetime | None


class ProducerBody(TypedDict):
    """The newest version of a dataset, model or twin, with the runs of its producer."""

    kind: str
    name: str
    version: int
    job_type: str
    title: str
    last: list[RunBody]
    usual_seconds: float | None
    last_good_at: dt.datetime | None


class SummaryBody(TypedDict):
    """Summary of a project."""

    counts: CountsBody
    attention: list[AttentionBody]
    hourly: list[HourBody]
    results: list[ResultBody]
    usage: UsageBody
    producers: list[ProducerBody]


class LineageNodeBody(TypedDict):
    """A version or a job."""

    id: str
    kind: str
    name: str
    version: int | None
    job_type: str | None
    status: str | None
    at: dt.datetime
    by: str | None


LineageEdgeBody = TypedDict("LineageEdgeBody", {"from": str, "to": str})


TimePhaseBody = TypedDict(
    "TimePhaseBody",
    {"cause": str, "from": str, "to": str, "seconds": float, "attempt": int, "detail": str},
)


class CauseTimeBody(TypedDict):
    """Total time of one cause."""

    cause: str
    seconds: float


JobTimeBody = TypedDict(
    "JobTimeBody",
    {
        "from": str,
        "to": str,
        "seconds": float,
        "is_live": bool,
        "phases": list[TimePhaseBody],
        "causes": list[CauseTimeBody],
    },
)


class ComparedValueBody(TypedDict):
    """A value of two jobs. `in_a`, `in_b`: whether the job has the path."""

    group: str
    path: str
    unit: str
    a: Json
    b: Json
    in_a: bool
    in_b: bool
    differs: bool


class JobComparisonBody(TypedDict):
    """Two jobs of a project, value by value."""

    a: JobBody
    b: JobBody
    rows: list[ComparedValueBody]
    differing: int
    truncated: bool


class LastSuccessBody(TypedDict):
    """The newest earlier successful run of the same producer; None without one."""

    job: JobBody | None
