"""Publish live hints to subscribed pages. The only module that sends on the channel layer.

A hint says that a job changed and carries ids only; receivers read the database. It may be lost,
duplicated or late. Publishing costs the caller one dictionary entry: a background thread with its
own event loop sends, merges pending hints of one group, limits each send to SEND_SECONDS and drops
all hints for AWAY_SECONDS after a failure. Requests and admission never wait for Redis.

The first hint of a job is sent at once. Hints that follow within JOB_SECONDS share one message at
the end of that time: a short job changes ten times within it.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TypedDict
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)

SEND_SECONDS = 0.5
AWAY_SECONDS = 1.0
LOG_EVERY_SECONDS = 30.0
SPACING_SECONDS = 0.005  # pause between two rounds of sends, which merges the hints of that time
JOB_SECONDS = 0.1  # between two hints of one job to one group

HINT = "feed.hint"


class HintMessage(TypedDict):
    """Message of a group: the group in `key`, and the ids of the changed jobs."""

    type: str
    key: str
    jobs: list[str]


failures = 0  # hints that this process could not send, for the metrics


def job_group(job_id: UUID | str) -> str:
    """Return the group of subscribers to one job's logs."""
    return f"job.{job_id}"


def project_group(project_id: UUID | str) -> str:
    """Return the group of subscribers to a project's jobs.

    One message announces all jobs that changed together, also to subscribers of a single job.
    """
    return f"project.{project_id}"


def publish_job(*, job_id: UUID, project_id: UUID) -> None:
    """Publish on commit that the job's row or its events changed. Never raises."""
    publish_jobs([(job_id, project_id)])


def publish_jobs(changed: Iterable[tuple[UUID, UUID]]) -> None:
    """Publish on commit that jobs changed, given as (job id, project id). Never raises."""
    hints = [(project_group(project_id), str(job_id)) for job_id, project_id in changed]
    transaction.on_commit(lambda: _put(hints), robust=True)


def publish_log(*, job_id: UUID) -> None:
    """Publish on commit that a log of the job grew, was closed or was sealed. Never raises."""
    hints = [(job_group(job_id), str(job_id))]
    transaction.on_commit(lambda: _put(hints), robust=True)


def _put(hints: Sequence[tuple[str, str]]) -> None:
    _sender().put(hints)


class _Sender:
    """Background thread that sends hints.

    `put` never blocks. At most one hint per group is pending; it collects the job ids.
    `_sent_at`: when each job was last announced to each group, for JOB_SECONDS.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._waiting: dict[str, dict[str, None]] = {}
        self._sent_at: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._away_until = 0.0
        self._logged_at = 0.0
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def put(self, hints: Sequence[tuple[str, str]]) -> None:
        """Queue hints, given as (group, job id)."""
        global failures
        if time.monotonic() < self._away_until:
            failures += len(hints)
            return
        with self._lock:
            for group, job_id in hints:
                self._waiting.setdefault(group, {})[job_id] = None
        self._wake.set()

    def _run(self) -> None:
        asyncio.run(self._send_loop())

    async def _send_loop(self) -> None:
        while True:
            # Between rounds the loop only keeps the connection open: blocking it is cheaper than
            # waking it.
            self._wake.wait(self._pause_seconds())
            self._wake.clear()
            await self._send(list(self._due().items()))
            await asyncio.sleep(SPACING_SECONDS)

    def _pause_seconds(self) -> float | None:
        """Return the time until a held hint is due; None if no hint is pending."""
        with self._lock:
            waiting = [(group, job) for group, jobs in self._waiting.items() for job in jobs]
        due_at = [self._sent_at.get(each, 0.0) + JOB_SECONDS for each in waiting]
        return max(0.0, min(due_at) - time.monotonic()) if due_at else None

    def _due(self) -> dict[str, dict[str, None]]:
        """Take the hints that can be sent now; the others stay pending."""
        now = time.monotonic()
        self._sent_at = {each: at for each, at in self._sent_at.items() if now - at < JOB_SECONDS}
        due: dict[str, dict[str, None]] = {}
        held: dict[str, dict[str, None]] = {}
        with self._lock:
            for group, jobs in self._waiting.items():
                for job_id in jobs:
                    taken = held if (group, job_id) in self._sent_at else due
                    taken.setdefault(group, {})[job_id] = None
            self._waiting = held
        self._sent_at |= {(group, job): now for group, jobs in due.items() for job in jobs}
        return due

    async def _send(self, messages: list[tuple[str, dict[str, None]]]) -> None:
        global failures
        for sent, (group, jobs) in enumerate(messages):
            try:
                layer = get_channel_layer()
                if layer is None:
                    return
                message: HintMessage = {"type": HINT, "key": group, "jobs": list(jobs)}
                await asyncio.wait_for(layer.group_send(group, message), SEND_SECONDS)
            # any error of the layer or its client library: hints are best effort
            except Exception as error:
                failures += len(messages) - sent
                self._away_until = time.monotonic() + AWAY_SECONDS
                self._log(error)
                return

    def _log(self, error: Exception) -> None:
        if time.monotonic() - self._logged_at < LOG_EVERY_SECONDS and self._logged_at:
            return
        self._logged_at = time.monotonic()
        log.warning(
            "live hints not sent; pages poll every 5 s",
            error=type(error).__name__,
            failures=failures,
        )


_current: _Sender | None = None
_creating = threading.Lock()


def _sender() -> _Sender:
    """Return this process's sender, created at the first hint and again after a fork.

    Threads do not survive a fork.
    """
    global _current
    sender = _current
    if sender is None or sender.pid != os.getpid():
        with _creating:
            sender = _current
            if sender is None or sender.pid != os.getpid():
                sender = _current = _Sender()
    return sender
