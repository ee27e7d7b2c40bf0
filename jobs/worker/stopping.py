"""Early stop of a workload. Threads report causes: the first one counts, a fence always counts."""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jobs.contract import FailureReason, FinishStatus
from mimir.lib.json_types import Json


class Verdict(NamedTuple):
    """Outcome of an attempt, as `finish` reports it.

    `patient`: the workload gets SIGTERM and time to end before it is killed.
    """

    status: FinishStatus
    reason: FailureReason | None = None
    message: str = ""
    detail: Mapping[str, Json] = {}
    result: Mapping[str, Json] = {}
    patient: bool = False


CANCELLED = Verdict(
    FinishStatus.CANCELLED, FailureReason.CANCELLED, "It was cancelled.", patient=True
)
INTERRUPTED = Verdict(
    FinishStatus.FAILED,
    FailureReason.INTERRUPTED,
    "The worker received SIGTERM from its machine.",
    patient=True,
)


def failed(reason: FailureReason, message: str, **detail: Json) -> Verdict:
    """Return a failure with the facts that `diagnosis` reads; values of None are omitted."""
    return Verdict(
        FinishStatus.FAILED,
        reason,
        message,
        {key: value for key, value in detail.items() if value is not None},
    )


def broken(what: str, error: Exception) -> Verdict:
    """Return the failure of a part of the supervisor, named by `what`.

    It is a defect of the worker or the machine, not of the job.
    """
    cause = (
        f"{type(error).__name__}: {error.strerror}"
        if isinstance(error, OSError) and error.strerror
        else type(error).__name__
    )
    return failed(
        FailureReason.WORKER_LOST,
        f"The worker failed, for a reason outside the job ({what}: {cause}).",
    )


class Stop:
    """Stop request, set from any thread. `wake` wakes the main thread, which checks it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        # Reentrant: a signal handler can call `request` while the same thread is in it.
        self._lock = threading.RLock()
        self._wake = wake
        self.verdict: Verdict | None = None
        self.fenced = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the workload must end now."""
        return self.verdict is not None or self.fenced.is_set()

    def request(self, verdict: Verdict) -> None:
        """Request a stop for this cause, unless there is one already."""
        with self._lock:
            self.verdict = self.verdict or verdict
        self._wake()

    def fence(self) -> None:
        """Record that the orchestrator continues without this attempt."""
        self.fenced.set()
        self._wake()
