"""Heartbeat of the web process, written from the serving event loop.

A blocked loop sends no heartbeat and does not count as up.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import connection

from jobs.liveness.uptime import BEAT_SECONDS, web_beat

log = structlog.get_logger(__name__)


async def beat_forever() -> None:
    """Send a heartbeat every BEAT_SECONDS on a thread of its own; failures are logged."""
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="beat")
    try:
        while True:
            await loop.run_in_executor(pool, _beat)
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _beat() -> None:
    try:
        web_beat()
    except Exception:
        log.warning("web could not beat: it does not count as up", exc_info=True)
    finally:
        connection.close()
