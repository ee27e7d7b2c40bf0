"""Bodies of the worker protocol: requests of the worker and answers of the orchestrator.

`docs/reference/worker-protocol.md` specifies them. A test compares each `…RequestBody` with the
serializer in `jobs/api/worker.py`, and live bodies with all of these types.
"""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

from mimir.lib.json_types import Json, JsonObject
from mimir.lib.schemas.signature import ModelSignature
from mimir.lib.table_shapes import ColumnInfo, ColumnType


class ClaimRequestBody(TypedDict):
    """Claim of an attempt. `claim_id`: a UUID that all retries of the request share."""

    claim_id: str
    hostname: NotRequired[str]
    pid: NotRequired[int]


class ClaimedJob(TypedDict):
    """Job of a claim. `parameters` match the schema of the type: see `job_parameters`."""

    id: str
    type: str
    name: str
    attempt: int
    parameters: JsonObject


class LimitsBody(TypedDict):
    """Limits of an attempt: the fields of `WorkerLimits`."""

    cpu_millicores: int
    memory_bytes: int
    timeout_seconds: int
    grace_seconds: int
    log_bytes: int
    spool_bytes: int
    artifact_bytes: int
    event_bytes: int
    event_count: int
    model_cache_bytes: int
    # Workers of version 0.1.0 require these two but do not use them.
    artifact_count: NotRequired[int]
    result_bytes: NotRequired[int]


class DatasetInput(TypedDict):
    """A dataset version. `format` is the stored one, `source_format` that of the upload.

    `schema` can have facts about the values, which the worker does not read.
    """

    name: str
    kind: Literal["dataset"]
    dataset: str
    version: int
    format: str
    source_format: str
    size_bytes: int
    sha256: str
    row_count: int | None
    schema: list[ColumnInfo]


class PipelineInput(TypedDict):
    """A pipeline version with its definition."""

    name: str
    kind: Literal["pipeline"]
    pipeline: str
    version: int
    definition: JsonObject


class ModelInput(TypedDict):
    """A model version with its signature."""

    name: str
    kind: Literal["model"]
    model: str
    version: int
    size_bytes: int
    sha256: str
    signature: ModelSignature


class TwinInput(TypedDict):
    """A twin. It has no version: the worker reads the newest revision."""

    name: str
    kind: Literal["twin"]
    twin: str


ClaimedInput = DatasetInput | PipelineInput | ModelInput | TwinInput


class WorkloadBody(TypedDict):
    """The part of a claim that the supervisor sends to its workload."""

    job: ClaimedJob
    limits: LimitsBody
    inputs: list[ClaimedInput]
    read_url_allow: list[str]


class ClaimResponse(WorkloadBody):
    """Answer of `claim`. `cache_key` exists only with an input of kind `model`.

    `finish_takes_events`: the orchestrator has `finish-with-events`. Release 0.1.0 omits it.
    """

    session_token: str
    heartbeat_seconds: float
    log_end: int
    finish_takes_events: NotRequired[bool]
    cache_key: NotRequired[str]


class HeartbeatRequestBody(TypedDict):
    """Memory of the workload's processes now and at its peak, and CPU since the last heartbeat."""

    memory_bytes: int
    peak_memory_bytes: int
    cpu_millicores: int


class HeartbeatResponse(TypedDict):
    """Answer of `heartbeat`. `timeout_at`: RFC 3339. `heartbeat_seconds`: until the next one."""

    cancel: bool
    timeout_at: str
    heartbeat_seconds: float


class EventRequestBody(TypedDict):
    """Event. `n` counts from 1 within the attempt; `at`: RFC 3339; `kind`: an `EventKind`."""

    n: int
    at: str
    kind: str
    data: JsonObject


class EventsRequestBody(TypedDict):
    """Events without gaps, in ascending order of `n`."""

    events: list[EventRequestBody]


class EventsResponse(TypedDict):
    """Answer of `events`: the highest stored `n`."""

    last: int


class LogResponse(TypedDict):
    """Answer of `logs`: the number of stored bytes."""

    end: int


class ArtifactResponse(TypedDict):
    """Answer of `artifacts`."""

    name: str
    size_bytes: int
    sha256: str


class ExitRequestBody(TypedDict):
    """Exit of the workload: a code or the number of a signal."""

    code: int | None
    signal: int | None


class FinishRequestBody(TypedDict):
    """Outcome of an attempt. `detail` is the input of the diagnosis; `result` depends on the type.

    `status`: a `FinishStatus`; `reason`: a `FailureReason` or empty. `events`: the last events, in
    `finish-with-events` only.
    """

    status: str
    reason: str
    message: str
    detail: Mapping[str, Json]
    result: Mapping[str, Json]
    exit: ExitRequestBody
    peak_memory_bytes: int | None
    log_end: int
    log_sha256: str
    log_missing: NotRequired[str]
    events: NotRequired[list[EventRequestBody]]


class FinishResponse(TypedDict):
    """Answer of `finish`: the status of the job."""

    status: str


RequestBody = ClaimRequestBody | HeartbeatRequestBody | EventsRequestBody | FinishRequestBody


class DatasetResult(TypedDict):
    """Dataset in the result of a job. The orchestrator checks it again: workers are untrusted."""

    dataset: str
    artifact: str
    format: str
    row_count: int
    schema: list[ColumnType]


class StepResultBody(TypedDict):
    """Step in the result of `pipeline_execution`. `rows`: None for a step without a table."""

    id: str
    uses: str
    status: str
    seconds: float
    rows: int | None


class PipelineResult(TypedDict):
    """Result of `pipeline_execution`."""

    outputs: list[DatasetResult]
    steps: list[StepResultBody]


class TrainingResult(TypedDict):
    """Result of `ml_training`: names of the artifacts with the model and its report."""

    artifact: str
    report: str


class InferenceResult(TypedDict):
    """Result of `ml_inference`."""

    output: DatasetResult


class TwinUpdateResult(TypedDict):
    """Result of `digital_twin_update`: the base revision and the artifact with the changes."""

    base_revision: int
    artifact: str


WorkResult = PipelineResult | TrainingResult | InferenceResult | TwinUpdateResult


class ExitReportBody(TypedDict):
    """Content of `exit.json` and of the container's termination message. `at`: RFC 3339."""

    code: int
    at: str
    peak_memory_bytes: NotRequired[int]
    log_end: NotRequired[int]
    reason: NotRequired[str]
    message: NotRequired[str]
    signal: NotRequired[Json]
