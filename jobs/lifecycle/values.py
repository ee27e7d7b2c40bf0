"""Bodies of the worker API after validation of shape and size."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from jobs.contract import EventKind, FailureReason, FinishStatus


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """Event of a worker. `n` counts from 1 within the attempt, without gaps."""

    n: int
    at: dt.datetime
    kind: EventKind
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FinishReport:
    """Finish report of a worker. `log_end` (bytes) and `log_sha256` cover the whole stored log.

    `log_missing`: a sentence about lost output; empty if the log is complete.
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
