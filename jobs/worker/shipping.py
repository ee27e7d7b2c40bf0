"""Sends the log from the spool to the orchestrator, in order, from where the orchestrator says it ends."""

import threading

from jobs.worker.client import FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, Client, Fenced, Refused, Unreachable
from jobs.worker.spool import Spool
from mimir.lib.crash import crash_point

IDLE_SECONDS = 1.0


class LogShipper(threading.Thread):
    """`limit_exceeded` and `refused` say why it stopped before its time; the supervisor looks."""

    def __init__(self, client: Client, spool: Spool) -> None:
        super().__init__(name="log", daemon=True)
        self._client, self._spool = client, spool
        self.stop = threading.Event()
        self.fenced = threading.Event()
        self.limit_exceeded = threading.Event()

    def run(self) -> None:
        """Ship until `stop` is set, the log is refused for good, or its limit is reached."""
        pause = FIRST_PAUSE_SECONDS
        while not self.stop.is_set():
            if not self._spool.wait(beyond=self._spool.accepted, timeout_seconds=IDLE_SECONDS):
                continue
            try:
                self._ship_one()
                pause = FIRST_PAUSE_SECONDS
            except Unreachable:
                self.stop.wait(pause)
                pause = min(pause * 2, LAST_PAUSE_SECONDS)
            except Fenced:
                self.fenced.set()
                return
            except Refused as refused:
                if refused.code == "log_limit_exceeded":
                    self.limit_exceeded.set()
                    return
                self.stop.wait(LAST_PAUSE_SECONDS)

    def _ship_one(self) -> None:
        offset = self._spool.accepted
        try:
            answer = self._client.post_log(offset, self._spool.read(offset))
        except Refused as refused:
            end = refused.detail.get("end")
            if refused.code != "wrong_offset" or not isinstance(end, int):
                raise
            if end > offset:
                self._spool.accept(end)  # an earlier copy of this chunk has arrived: go on behind it
            elif not self._spool.rewind(end):  # a database restored from a backup has less than it said
                raise
            return
        crash_point("worker.after_log_answer")
        self._spool.accept(int(answer["end"]))
