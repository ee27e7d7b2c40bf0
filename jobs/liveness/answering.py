"""Heartbeat of the web process, written from the serving event loop.

A blocked loop sends no heartbeat and does not count as up. A heartbeat also records an overload,
and the workers whose claims were refused.
"""

import asyncio
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from django.db import connection

from jobs.liveness.connection_budget import connections_check
from jobs.liveness.refused_claims import RefusedClaims, calls_record
from jobs.liveness.uptime import BEAT_SECONDS, web_beat
from mimir.api.lanes import Lanes

log = structlog.get_logger(__name__)


async def beat_forever(lanes: Lanes, refused: RefusedClaims) -> None:
    """Send a heartbeat every BEAT_SECONDS on a thread of its own; failures are logged.

    The next heartbeat records what a failed one could not record. After the first success, the
    number of connections is checked.
    """
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="beat")
    is_checked = False
    try:
        while True:
            since, attempts = lanes.take_overload(), refused.take()
            if not await loop.run_in_executor(pool, _beat, since, attempts):
                refused.restore(attempts)
                if since is not None:
                    lanes.note_overload(since)
            elif not is_checked:
                is_checked = True
                await loop.run_in_executor(pool, _check_connections)
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _check_connections() -> None:
    try:
        connections_check()
    finally:
        connection.close()


def _beat(overloaded_since: float | None, refused: Collection[UUID]) -> bool:
    """Write one heartbeat; return whether it succeeded.

    overloaded_since: by the monotonic clock, which the event loop uses; None without an overload.
    """
    try:
        web_beat(0.0 if overloaded_since is None else time.monotonic() - overloaded_since)
        if refused:
            calls_record(attempt_ids=refused)
    except Exception:
        log.warning("web could not beat: it does not count as up", exc_info=True)
        return False
    else:
        return True
    finally:
        connection.close()
