"""What travels into the services of the worker API, already checked for shape and size at the boundary."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from jobs.contract import EventKind, FailureReason, FinishStatus


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """One event a worker reports. `n` counts from 1 within the attempt, without gaps."""

    n: int
    at: dt.datetime
    kind: EventKind
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FinishReport:
    """How a worker says its attempt ended. `log_end` (bytes) and `log_sha256` are of all stored bytes of its log.

    `log_missing`: what of the workload's output never got there, as a sentence; empty when nothing is missing.
    """

    status: FinishStatus
    log_end: int
    log_sha256: str
    log_missing: str = ""
    reason: FailureReason | None = None
    message: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    exit_signal: int | None = None
    peak_memory_bytes: int | None = None
