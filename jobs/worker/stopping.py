"""Why a workload has to stop before its time. Several threads may find a cause; the first one counts, a fence always does."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jobs.contract import FailureReason, FinishStatus


class Verdict(NamedTuple):
    """What an attempt came to, as `finish` reports it. `patient`: the workload is asked to end before it is killed."""

    status: FinishStatus
    reason: FailureReason | None = None
    message: str = ""
    detail: Mapping[str, Any] = {}
    result: Mapping[str, Any] = {}
    patient: bool = False


CANCELLED = Verdict(
    FinishStatus.CANCELLED, FailureReason.CANCELLED, "It was cancelled.", patient=True
)
INTERRUPTED = Verdict(
    FinishStatus.FAILED,
    FailureReason.INTERRUPTED,
    "Its worker was asked to stop by its machine (SIGTERM).",
    patient=True,
)


def failed(reason: FailureReason, message: str, **detail: Any) -> Verdict:
    """A failure, with the facts that `diagnosis` reads; None is left out."""
    return Verdict(
        FinishStatus.FAILED,
        reason,
        message,
        {key: value for key, value in detail.items() if value is not None},
    )


def broken(what: str, error: Exception) -> Verdict:
    """A defect of ours, or of the machine, in the supervisor itself: no fault of the job's. `what` names the part."""
    cause = (
        f"{type(error).__name__}: {error.strerror}"
        if isinstance(error, OSError) and error.strerror
        else type(error).__name__
    )
    return failed(
        FailureReason.WORKER_LOST,
        f"Its worker failed by a fault that is not the job's ({what}: {cause}).",
    )


class Stop:
    """Set from any thread; `wake` makes the main thread look."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._lock = (
            threading.RLock()
        )  # a signal's handler asks, perhaps while the same thread is asking
        self._wake = wake
        self.verdict: Verdict | None = None
        self.fenced = threading.Event()

    @property
    def asked(self) -> bool:
        """Whether the workload has to end now."""
        return self.verdict is not None or self.fenced.is_set()

    def ask(self, verdict: Verdict) -> None:
        """Stop for this cause, unless there is one already."""
        with self._lock:
            self.verdict = self.verdict or verdict
        self._wake()

    def fence(self) -> None:
        """The orchestrator continues without this attempt."""
        self.fenced.set()
        self._wake()
