"""End of an attempt: deliver the log, then events and finish, within the grace period."""

import time

from jobs.contract import FailureReason, FinishStatus
from jobs.contract.protocol import FinishRequestBody
from jobs.worker.client import Client, Fenced, Refused, Unreachable
from jobs.worker.environment import EXIT_ACCEPTED, EXIT_FENCED, EXIT_GAVE_UP, EXIT_STOPPED
from jobs.worker.memory_watch import MemoryWatch
from jobs.worker.reporting import Reporter
from jobs.worker.shipping import LogShipper
from jobs.worker.spool import Spool
from jobs.worker.stopping import Stop, Verdict, failed

IDLE_SECONDS = 0.5
REST_OF_LOG_SECONDS = 10.0  # a fenced attempt sends the rest of its log for at most this time
FINISH_EVENTS_MAX = 20  # if more are pending, all are sent before it, in separate requests
UNSENT = "The rest of the log could not be sent."


class Delivery:
    """Delivers the outcome of the attempt to the orchestrator.

    If a part of the supervisor has failed, the other parts still deliver what they have.
    """

    def __init__(
        self,
        client: Client,
        stop: Stop,
        *,
        shipper: LogShipper,
        reporter: Reporter,
        spool: Spool,
        memory: MemoryWatch,
        finish_takes_events: bool = False,
    ) -> None:
        """`finish_takes_events`: whether the orchestrator supports `finish-with-events`."""
        self._finish_takes_events = finish_takes_events
        self._client, self._stop = client, stop
        self._shipper, self._reporter, self._spool, self._memory = shipper, reporter, spool, memory
        self._bare = False

    def run(self, verdict: Verdict, *, exit_code: int, grace_seconds: float) -> tuple[int, Verdict]:
        """Deliver log, events and finish; return the worker's exit code and the final verdict.

        `exit_code` is the workload's, negative for a signal.
        """
        end = time.monotonic() + grace_seconds
        while not self._stop.fenced.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return EXIT_GAVE_UP, verdict
            if not self._log_is_sent(min(left, IDLE_SECONDS)):
                continue
            if self._shipper.fenced.is_set():
                break
            if not self._reporter_has_ended(min(left, IDLE_SECONDS)):
                continue
            verdict = self._limited(verdict)
            body = self._body(verdict, exit_code)
            try:
                self._client.post(self._with_events(body, left), body, patience_seconds=left)
            except Fenced:
                break
            except Refused as refused:
                if self._can_resend(refused):
                    continue
                if "events" in body:
                    self._finish_takes_events = False
                    continue
                if self._bare:
                    return EXIT_GAVE_UP, verdict
                verdict = self._refused(refused)
            except Unreachable:
                return EXIT_GAVE_UP, verdict
            else:
                return (
                    EXIT_STOPPED if verdict.reason is FailureReason.INTERRUPTED else EXIT_ACCEPTED
                ), verdict
        self._reporter.end()
        self._spool.wait_accepted(0 if self._shipper.fenced.is_set() else REST_OF_LOG_SECONDS)
        return EXIT_FENCED, verdict

    def _reporter_has_ended(self, timeout_seconds: float) -> bool:
        """End the reporter; return whether it ended with no more events than `finish` takes.

        Waits for its request in progress, so no event is in two requests at the same time.
        """
        most = FINISH_EVENTS_MAX if self._finish_takes_events else 0
        if self._reporter.pending > most and self._reporter.is_alive():
            self._reporter.flush(timeout_seconds)
            return False
        self._reporter.end()
        if self._reporter.is_alive():
            self._reporter.join(timeout_seconds)
        return not self._reporter.is_alive()

    def _with_events(self, body: FinishRequestBody, patience_seconds: float) -> str:
        """Add the last events to `body`, or send them first; return the name of the call.

        An older release of web refuses the call with events as unknown, and would ignore events in
        `finish`. Raises: Unreachable, Fenced.
        """
        if not self._finish_takes_events:
            self._reporter.send_rest(patience_seconds)
        elif rest := self._reporter.rest():
            body["events"] = rest
            return "finish-with-events"
        return "finish"

    def _log_is_sent(self, timeout_seconds: float) -> bool:
        """Return whether the log is delivered, or no more of it can be delivered."""
        if self._spool.wait_accepted(timeout_seconds):
            return True
        if self._shipper.is_alive():
            return False
        self._spool.cut(UNSENT)
        return True

    def _limited(self, verdict: Verdict) -> Verdict:
        """Replace a success with a failure if the orchestrator refused the log for its size.

        The refusal can arrive after the work is done.
        """
        refused = self._shipper.refused
        over = refused is not None and refused.reason is FailureReason.LOG_LIMIT_EXCEEDED
        return (
            refused
            if refused is not None and over and verdict.status is FinishStatus.SUCCEEDED
            else verdict
        )

    def _refused(self, refused: Refused) -> Verdict:
        """Return a minimal verdict that replaces a refused report.

        It has the cause only, because anything else in the report may be invalid.
        """
        self._bare = True
        return failed(
            FailureReason.PROTOCOL,
            f"The orchestrator refused the worker's report: {refused.message or refused.code}",
        )

    def _can_resend(self, refused: Refused) -> bool:
        """Return whether `finish` can succeed once the missing end of the log is sent again."""
        end = refused.detail.get("end")
        return refused.code == "log_incomplete" and isinstance(end, int) and self._spool.rewind(end)

    def _body(self, verdict: Verdict, exit_code: int) -> FinishRequestBody:
        verdict = self._with_memory(verdict)
        return {
            "status": verdict.status,
            "reason": verdict.reason or "",
            "message": verdict.message,
            "detail": verdict.detail,
            "result": verdict.result if verdict.status is FinishStatus.SUCCEEDED else {},
            "exit": {
                "code": exit_code if exit_code >= 0 else None,
                "signal": -exit_code if exit_code < 0 else None,
            },
            "peak_memory_bytes": self._memory.peak_bytes,
            "log_end": self._spool.accepted,
            "log_sha256": self._spool.sha256,
            "log_missing": self._spool.missing,
        }

    def _with_memory(self, verdict: Verdict) -> Verdict:
        """Add memory limit and peak to an OOM failure: DuckDB and Python do not report them."""
        if verdict.reason is not FailureReason.OUT_OF_MEMORY:
            return verdict
        facts = {
            "limit_bytes": self._memory.limit_bytes,
            "peak_bytes": self._memory.peak_bytes,
            **verdict.detail,
        }
        return verdict._replace(detail=facts)
