"""Reused threads for requests. Starting a thread for each request costs as much as a query."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

KEPT = 32  # threads that stay after a burst
_UNBOUNDED = 100_000  # concurrency is limited where requests are admitted, not here

T = TypeVar("T")


class RequestThreads:
    """Run calls on threads from an event loop. Used by one loop.

    A thread is started if none is idle. After a burst, threads above KEPT end.
    """

    def __init__(self) -> None:
        self._executor = self._new_executor()
        self._running = self._peak = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` on a thread in a copy of the current context, and return its result.

        Cancelling the caller does not stop the call.
        """
        self._running += 1
        self._peak = max(self._peak, self._running)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, context.run, call)
        finally:
            self._running -= 1
            if self._peak > KEPT and self._running <= KEPT // 2:
                self._shrink()

    def _shrink(self) -> None:
        """Replace the executor. Busy threads end after their call."""
        before, self._executor = self._executor, self._new_executor()
        self._peak = self._running
        before.shutdown(wait=False)

    @staticmethod
    def _new_executor() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_UNBOUNDED, thread_name_prefix="request")
