"""Request threads are reused, share no context, and end after a burst."""

import asyncio
import threading
from contextvars import ContextVar
from functools import partial

import pytest

from mimir.lib.request_threads import KEPT, RequestThreads

pytestmark = pytest.mark.timeout(30)
MARK = ContextVar("mark", default="")


def _marked(text: str) -> tuple[str, str]:
    """Return the name of the thread and the previous mark, and set a new mark."""
    found = MARK.get()
    MARK.set(text)
    return threading.current_thread().name, found


def test_calls_one_after_another_run_on_one_thread_without_a_common_context() -> None:
    async def calls() -> list[tuple[str, str]]:
        threads = RequestThreads()
        return [await threads.run(partial(_marked, text)) for text in ("one", "two")]

    first, second = asyncio.run(calls())
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("", "")


def test_a_call_sees_the_context_of_its_caller() -> None:
    async def call() -> tuple[str, str]:
        MARK.set("caller")
        return await RequestThreads().run(lambda: _marked("call"))

    assert asyncio.run(call())[1] == "caller"


def test_the_error_of_a_call_is_raised_in_its_caller() -> None:
    async def call() -> None:
        await RequestThreads().run(lambda: int("no number"))

    with pytest.raises(ValueError, match="no number"):
        asyncio.run(call())


def test_many_calls_run_at_once_and_their_threads_end_afterwards() -> None:
    before = threading.active_count()
    count = 3 * KEPT

    async def burst() -> int:
        threads, barrier = RequestThreads(), threading.Barrier(count + 1)
        calls = [asyncio.ensure_future(threads.run(barrier.wait)) for _ in range(count)]
        await threads.run(barrier.wait)  # returns only if all of them run at the same time
        await asyncio.gather(*calls)
        await threads.run(lambda: None)
        while threading.active_count() > before + KEPT:
            await asyncio.sleep(0)
        return threading.active_count() - before

    assert asyncio.run(burst()) <= KEPT


def test_a_call_whose_caller_was_cancelled_runs_to_its_end() -> None:
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        goes_on.wait(20)
        ended.set()

    async def cancelled() -> None:
        task = asyncio.ensure_future(RequestThreads().run(call))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    goes_on.set()
    assert ended.wait(20)
