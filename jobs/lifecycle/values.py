"""Bodies of the worker API after validation of shape and size."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict
from uuid import UUID

from jobs.contract import EventKind, FailureReason, FinishStatus
from mimir.lib.json_types import JsonObject


class ClaimFields(TypedDict):
    """Validated claim."""

    claim_id: UUID
    hostname: str
    pid: NotRequired[int]


class HeartbeatFields(TypedDict):
    """Validated heartbeat."""

    memory_bytes: int
    peak_memory_bytes: int
    cpu_millicores: int


class EventFields(TypedDict):
    """Validated event. `at` has no time zone if the worker sent none."""

    n: int
    at: dt.datetime
    kind: str
    data: JsonObject


class EventsFields(TypedDict):
    """Validated events."""

    events: list[EventFields]


class ExitFields(TypedDict):
    """Validated exit of a workload."""

    code: int | None
    signal: int | None


class FinishFields(TypedDict):
    """Validated finish report."""

    status: str
    reason: str
    message: str
    detail: JsonObject
    result: JsonObject
    exit: ExitFields
    peak_memory_bytes: int | None
    log_end: int
    log_sha256: str
    log_missing: str
    events: list[EventFields]


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """Event of a worker. `n` counts from 1 within the attempt, without gaps."""

    n: int
    at: dt.datetime
    kind: EventKind
    data: JsonObject


@dataclass(frozen=True, slots=True)
class FinishReport:
    """Finish report of a worker. `log_end` (bytes) and `log_sha256` cover the whole stored log.

    `log_missing`: a sentence about lost output; empty if the log is complete. `events`: stored with
    the end, unless they are stored already.
    """

    status: FinishStatus
    log_end: int
    log_sha256: str
    log_missing: str = ""
    reason: FailureReason | None = None
    message: str = ""
    detail: JsonObject = field(default_factory=dict)
    result: JsonObject = field(default_factory=dict)
    exit_code: int | None = None
    exit_signal: int | None = None
    peak_memory_bytes: int | None = None
    events: Sequence[WorkerEvent] = ()
