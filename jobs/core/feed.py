"""Publish live hints to subscribed pages. The only module that sends on the channel layer.

A hint says that a job changed and carries ids only; receivers read the database. It may be lost,
duplicated or late. Publishing costs the caller one dictionary entry: a background thread with its
own event loop sends, merges pending hints of one group, limits each send to SEND_SECONDS and drops
all hints for AWAY_SECONDS after a failure. Requests and admission never wait for Redis.
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
SPACING_SECONDS = 0.005  # pause between two rounds of sends; hints of the meantime are merged

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
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._waiting: dict[str, dict[str, None]] = {}
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
