"""Send heartbeats and events to the orchestrator, on a separate thread."""

import json
import threading
import time
from typing import cast

from jobs.contract import EventKind, FailureReason, WorkerLimits
from jobs.contract.protocol import (
    EventRequestBody,
    EventsResponse,
    HeartbeatRequestBody,
    HeartbeatResponse,
)
from jobs.worker.background_thread import BackgroundThread
from jobs.worker.client import Backoff, Client, Fenced, Refused, Unreachable
from jobs.worker.memory_watch import CpuMeter, MemoryWatch
from jobs.worker.retry_time import RetryTime
from jobs.worker.stopping import CANCELLED, Stop, failed
from mimir.lib.clock import utc_now
from mimir.lib.json_types import JsonObject
from mimir.lib.json_values import storable

BATCH = 200
BATCH_SECONDS = 0.2  # events within this time share a request


class Reporter(BackgroundThread):
    """Sends heartbeats, and the events of `add` in order and without gaps."""

    def __init__(
        self,
        client: Client,
        stop: Stop,
        memory: MemoryWatch,
        *,
        limits: WorkerLimits,
        heartbeat_seconds: float,
    ) -> None:
        super().__init__("report", stop)
        self._client, self._memory, self._limits = client, memory, limits
        self._every = heartbeat_seconds
        self._cpu = CpuMeter()
        self._changed = threading.Condition()
        self._waiting: list[EventRequestBody] = []
        self._count = 0
        self._ended = False
        self._next_beat = time.monotonic() + heartbeat_seconds
        self._retry = RetryTime()
        self._send_at = 0.0
        self._backoff = Backoff()

    def add(self, kind: EventKind, data: JsonObject) -> None:
        """Add an event.

        An event that is too large is shortened, and one above the maximum number is dropped.
        Neither fails the job.
        """
        data = cast("JsonObject", storable(data))
        if len(json.dumps(data)) > self._limits.event_bytes:
            fields: JsonObject = {
                key: data[key]
                for key in ("step", "seconds", "rows", "uses", "index", "count")
                if key in data
            }
            data = {**fields, "message": "omitted: larger than an event can be"}
        with self._changed:
            if self._count >= self._limits.event_count:
                return
            self._count += 1
            if not self._waiting:
                self._send_at = time.monotonic() + BATCH_SECONDS
            self._waiting.append(
                {"n": self._count, "at": utc_now().isoformat(), "kind": kind, "data": data}
            )
            self._changed.notify_all()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the orchestrator has all events; return whether it has."""
        with self._changed:
            self._send_at = 0.0
            self._changed.notify_all()
            return (
                self._changed.wait_for(
                    lambda: not self._waiting or self.halt.fenced.is_set(), timeout_seconds
                )
                and not self._waiting
            )

    @property
    def pending(self) -> int:
        """Return the number of events that the orchestrator has not acknowledged."""
        with self._changed:
            return len(self._waiting)

    def end_by(self, at: float) -> None:
        """Shorten the pauses after failed calls, because the worker ends at `at` (monotonic)."""
        with self._changed:
            self._retry.end_by(at)
            self._changed.notify_all()

    def end(self) -> None:
        """Stop sending events and heartbeats; unacknowledged events stay in `rest`."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def work(self) -> None:
        """Report until `end` or a fence."""
        while not self.halt.fenced.is_set():
            with self._changed:
                if not self._ended and (early := self._due_at() - time.monotonic()) > 0:
                    self._changed.wait(early)
                    continue
                if self._ended:
                    return
            try:
                self._report()
                self._backoff.reset()
            except Unreachable as error:
                with self._changed:
                    self._retry.set(self._backoff.next_pause(error))
            except Fenced:
                self.halt.fence()
            except Refused as refused:
                self._refused(refused)
            with self._changed:
                self._changed.notify_all()

    def rest(self) -> list[EventRequestBody]:
        """Return the unacknowledged events. Call it after the thread has ended."""
        return list(self._waiting)

    def send_rest(self, patience_seconds: float) -> None:
        """Send the unacknowledged events on the caller's thread. Raises: Unreachable, Fenced."""
        while self._waiting:
            try:
                self._send_events(patience_seconds)
            except Fenced:
                raise
            except Refused as refused:
                self._refused(refused)

    def _due_at(self) -> float:
        return max(
            self._retry.at,
            min(self._next_beat, self._send_at) if self._waiting else self._next_beat,
        )

    def _report(self) -> None:
        self._send_events(0)
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + self._every
            self._beat()

    def _send_events(self, patience_seconds: float) -> None:
        with self._changed:
            batch = self._waiting[:BATCH]
        if batch:
            answer = self._client.post(
                "events", {"events": batch}, patience_seconds=patience_seconds
            )
            self._stored(cast("EventsResponse", answer)["last"])

    def _beat(self) -> None:
        body: HeartbeatRequestBody = {
            "memory_bytes": self._memory.now_bytes,
            "peak_memory_bytes": self._memory.peak_bytes,
            "cpu_millicores": self._cpu.read(),
        }
        answer = self._client.post("heartbeat", body, patience_seconds=0)
        if cast("HeartbeatResponse", answer).get("cancel"):
            self.halt.request(CANCELLED)
        seconds = answer.get("heartbeat_seconds")  # not from an orchestrator of release 0.1.0
        if isinstance(seconds, int | float):
            self._next_beat += seconds - self._every
            self._every = seconds

    def _stored(self, last: int) -> None:
        with self._changed:
            self._waiting = [event for event in self._waiting if event["n"] > last]

    def _renumber_from(self, last: int) -> None:
        """Renumber the pending events to follow `last`, the orchestrator's last event.

        The events between are lost: the database was restored from a backup.
        """
        missing = max(0, self._waiting[0]["n"] - 1 - last)
        for event in self._waiting:
            event["n"] -= missing
        self._count -= missing

    def _refused(self, refused: Refused) -> None:
        last = refused.detail.get("last")
        with self._changed:
            if refused.code == "gap" and isinstance(last, int) and self._waiting:
                self._renumber_from(last)
                return
            self._waiting.clear()
        self.halt.request(
            failed(
                FailureReason.PROTOCOL,
                f"The orchestrator refused a report: {refused.message or refused.code}",
            )
        )
