"""Send the log from the spool in order, from the end of the log that the orchestrator has."""

import threading

from jobs.contract import FailureReason
from jobs.worker.background_thread import BackgroundThread
from jobs.worker.client import Backoff, Client, Fenced, Refused, Unreachable
from jobs.worker.retry_time import RetryTime
from jobs.worker.spool import Spool
from jobs.worker.stopping import Stop, Verdict, failed
from mimir.lib.crash import crash_point

IDLE_SECONDS = 1.0


class LogShipper(BackgroundThread):
    """Ships the log as it grows.

    `fenced` and `refused` give the reason of an early end. After the thread has ended, nothing more
    is shipped.
    """

    def __init__(self, client: Client, spool: Spool, stop: Stop) -> None:
        super().__init__("log", stop)
        self._client, self._spool = client, spool
        self.fenced = threading.Event()
        self.refused: Verdict | None = None
        self._changed = threading.Condition()
        self._retry = RetryTime()

    def work(self) -> None:
        """Ship until the attempt is fenced or the log is refused."""
        backoff = Backoff()
        while True:
            if not self._spool.wait(beyond=self._spool.accepted, timeout_seconds=IDLE_SECONDS):
                continue
            try:
                self._ship_one()
                backoff.reset()
            except Unreachable as error:
                self._pause(backoff.next_pause(error))
            except Fenced:
                self.fenced.set()
                return
            except Refused as refused:
                self._refuse(refused)
                return

    def end_by(self, at: float) -> None:
        """Shorten the pauses after failed calls, because the worker ends at `at` (monotonic)."""
        with self._changed:
            self._retry.end_by(at)
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._retry.set(seconds)
            while left := self._retry.left_seconds:
                self._changed.wait(left)

    def _ship_one(self) -> None:
        offset = self._spool.accepted
        try:
            answer = self._client.post_log(offset, self._spool.read(offset))
        except Refused as refused:
            end = refused.detail.get("end")
            if (
                refused.code != "wrong_offset"
                or not isinstance(end, int)
                or not self._continue_from(end, offset)
            ):
                raise
            return
        crash_point("worker.after_log_answer")
        self._spool.accept(answer["end"])

    def _continue_from(self, end: int, offset: int) -> bool:
        """Continue from `end` of the orchestrator's log; return whether that is possible.

        An end after `offset` means that an earlier copy of this chunk arrived. An end before it
        means that the orchestrator lost accepted bytes, which may still be in the spool.
        """
        if end < offset:
            return self._spool.rewind(end)
        self._spool.accept(end)
        return True

    def _refuse(self, refused: Refused) -> None:
        """Stop the workload, because further output could not be stored."""
        if refused.code == FailureReason.LOG_LIMIT_EXCEEDED:
            self.refused = failed(FailureReason.LOG_LIMIT_EXCEEDED, refused.message)
        else:
            self.refused = failed(
                FailureReason.PROTOCOL,
                f"The orchestrator refused the log: {refused.message or refused.code}",
            )
        self._spool.cut(self.refused.message)
        self.halt.request(self.refused)
