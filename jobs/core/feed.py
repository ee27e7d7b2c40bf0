"""Hints to those who watch: "look at this job again". The only place that sends on the channel layer.

A hint carries ids, never content: who gets it reads the store. It may be lost, doubled or late. Sending costs the caller a dictionary
entry: a thread of its own with one event loop sends, joins hints for one group that wait together, gives a send 0.5 s, and drops all for
a second after a failure, so that no request and no admission waits for a Redis that is away.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)

SEND_SECONDS = 0.5
AWAY_SECONDS = 1.0
LOG_EVERY_SECONDS = 30.0
SPACING_SECONDS = 0.005  # between two rounds of sends: hints that come meanwhile are joined

HINT = "feed.hint"

failures = 0  # hints that were not sent by this process, for the metrics


def job_group(job_id: UUID | str) -> str:
    """The group that hears of one job's logs."""
    return f"job.{job_id}"


def project_group(project_id: UUID | str) -> str:
    """The group that hears of every job of a project: one message for all that moved together, whoever follows one of them."""
    return f"project.{project_id}"


def publish_job(*, job_id: UUID, project_id: UUID) -> None:
    """Hint, once the transaction is committed, that the job's row or its events changed. Never raises."""
    publish_jobs([(job_id, project_id)])


def publish_jobs(changed: Iterable[tuple[UUID, UUID]]) -> None:
    """`publish_job` for many: (job, project)."""
    hints = [(project_group(project_id), str(job_id)) for job_id, project_id in changed]
    transaction.on_commit(lambda: _put(hints), robust=True)


def publish_log(*, job_id: UUID) -> None:
    """Hint, once the transaction is committed, that a log of the job grew, was closed or sealed. Never raises."""
    hints = [(job_group(job_id), str(job_id))]
    transaction.on_commit(lambda: _put(hints), robust=True)


def _put(hints: Sequence[tuple[str, str]]) -> None:
    _sender().put(hints)


class _Sender:
    """The thread that sends. `put` never blocks; at most one hint a group waits, with the jobs it is about."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._waiting: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._away_until = 0.0
        self._logged_at = 0.0
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def put(self, hints: Sequence[tuple[str, str]]) -> None:
        """Groups, each with a job."""
        global failures
        if time.monotonic() < self._away_until:
            failures += len(hints)
            return
        with self._lock:
            for group, job_id in hints:
                self._waiting.setdefault(group, {})[job_id] = None
        self._wake.set()

    def _run(self) -> None:
        asyncio.run(self._send_for_ever())

    async def _send_for_ever(self) -> None:
        while True:
            # The loop has nothing else to do between rounds but to keep the connection: blocking it is cheaper than waking it.
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            await self._send(list(waiting.items()))
            await asyncio.sleep(SPACING_SECONDS)

    async def _send(self, messages: list[tuple[str, dict[str, None]]]) -> None:
        global failures
        for sent, (group, jobs) in enumerate(messages):
            try:
                layer = get_channel_layer()
                if layer is None:
                    return
                message: dict[str, Any] = {"type": HINT, "key": group, "jobs": list(jobs)}
                await asyncio.wait_for(layer.group_send(group, message), SEND_SECONDS)
            except Exception as error:  # whatever the layer raises, its client library's errors included: a hint is only a hint
                failures += len(messages) - sent
                self._away_until = time.monotonic() + AWAY_SECONDS
                self._log(error)
                return

    def _log(self, error: Exception) -> None:
        if time.monotonic() - self._logged_at < LOG_EVERY_SECONDS and self._logged_at:
            return
        self._logged_at = time.monotonic()
        log.warning(
            "live hints are not sent: pages find changes within 5 s",
            error=type(error).__name__,
            failures=failures,
        )


_the_sender: _Sender | None = None
_making = threading.Lock()


def _sender() -> _Sender:
    """This process's sender; made at the first hint, and again after a fork (threads do not survive one)."""
    global _the_sender
    sender = _the_sender
    if sender is None or sender.pid != os.getpid():
        with _making:
            sender = _the_sender
            if sender is None or sender.pid != os.getpid():
                sender = _the_sender = _Sender()
    return sender
