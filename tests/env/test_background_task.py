"""Background tasks of an ASGI application start once, with and without lifespan events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mimir.lib.background_task import BackgroundTask


async def _application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "answered", "path": scope["path"]})


class _Beat:
    def __init__(self) -> None:
        self.begun = self.ended = 0

    async def __call__(self) -> None:
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


def _served(
    talk: Callable[[BackgroundTask, list[Any]], Awaitable[None]],
) -> tuple[_Beat, list[Any]]:
    beat, said = _Beat(), list[Any]()
    asyncio.run(talk(BackgroundTask(_application, beat), said))  # type: ignore[arg-type]
    return beat, said


async def _request(beating: BackgroundTask, said: list[Any]) -> None:
    async def send(message: Any) -> None:
        said.append(message)

    await beating({"type": "http", "path": "/"}, None, send)
    await asyncio.sleep(0)


def test_it_begins_with_the_first_request_and_only_once() -> None:
    async def talk(beating: BackgroundTask, said: list[Any]) -> None:
        await _request(beating, said)
        await _request(beating, said)

    beat, said = _served(talk)
    assert (beat.begun, len(said)) == (1, 2)


def test_it_begins_with_the_server_and_ends_with_it() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def talk(beating: BackgroundTask, said: list[Any]) -> None:
        async def receive() -> Any:
            await asyncio.sleep(0)
            return messages.pop(0)

        async def send(message: Any) -> None:
            said.append(message)

        await beating({"type": "lifespan"}, receive, send)
        assert beat_of(beating).ended == 1

    beat, said = _served(talk)
    assert beat.begun == 1
    assert [message["type"] for message in said] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def beat_of(beating: BackgroundTask) -> _Beat:
    found = beating._beat
    assert isinstance(found, _Beat)
    return found


def test_one_that_broke_begins_again() -> None:
    async def broken() -> None:
        raise ValueError

    async def talk() -> int:
        beating = BackgroundTask(_application, broken)
        await _request(beating, [])
        await asyncio.sleep(0)
        first = beating._task
        assert first is not None
        assert isinstance(first.exception(), ValueError)
        await _request(beating, [])
        assert beating._task is not first
        return 1

    assert asyncio.run(talk()) == 1
