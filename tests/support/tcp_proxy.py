"""TCP proxies between real processes: one delays responses, the other counts and rejects calls."""

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any

_CALL = re.compile(rb"(?:GET|POST|PUT) /worker/v1/attempts/([0-9a-f-]{36})/([a-z]+)")
_CALL_BYTES_MAX = 100  # requests that match `_CALL`
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BUSY = json.dumps({"code": "overloaded", "message": "The server is busy.", "detail": {}}).encode()


class Proxy:
    """Forwards connections to a port of this machine. `latency_seconds` can change at any time.

    Each chunk of a response is delayed by this time, in order, so every round trip takes longer.
    """

    def __init__(self, target_port: int) -> None:
        self.latency_seconds = 0.0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Close all connections."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _end(self) -> None:
        self._server.close()
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            answers, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, there, writer))
                both.create_task(self._answers(answers, writer))
        except* (OSError, EOFError):
            pass  # one side has closed the connection
        finally:
            for each in (writer, there):
                if each is not None:
                    each.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        back: asyncio.StreamWriter,  # noqa: ARG002 - for a proxy that answers itself
    ) -> None:
        while data := await reader.read(65536):
            there.write(data)
            await there.drain()
        raise ConnectionResetError

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def read() -> None:
            while data := await answers.read(65536):
                late.put_nowait((loop.time() + self.latency_seconds, data))
            late.put_nowait((0.0, b""))

        async with asyncio.TaskGroup() as both:
            both.create_task(read())
            while True:
                due, data = await late.get()
                if not data:
                    raise ConnectionResetError
                if (pause := due - loop.time()) > 0:
                    await asyncio.sleep(pause)
                writer.write(data)
                await writer.drain()


class WorkerCalls(Proxy):
    """Proxy in front of web that counts the calls of workers. With `refuses` it responds with 503.

    `calls`: number by attempt and call, including rejected ones.
    """

    def __init__(self, target_port: int) -> None:
        self.refuses = False
        self.calls: Counter[tuple[str, str]] = Counter()
        super().__init__(target_port)

    def taken(self) -> Counter[tuple[str, str]]:
        """Return the calls since the previous use of this method."""
        taken, self.calls = self.calls, Counter()
        return taken

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        rest = b""
        while data := await reader.read(65536):
            rest += data
            call = None
            for call in _CALL.finditer(rest):
                self.calls[call[1].decode(), call[2].decode()] += 1
            if call is not None and self.refuses:
                await _refuse(reader, rest[call.start() :], back)
                break
            rest = rest[max(call.end() if call else 0, len(rest) - _CALL_BYTES_MAX) :]
            there.write(data)
            await there.drain()
        raise ConnectionResetError


async def _refuse(reader: asyncio.StreamReader, begun: bytes, back: asyncio.StreamWriter) -> None:
    """Read one complete request and respond as an overloaded web does."""
    head, end, body = begun.partition(b"\r\n\r\n")
    if not end:
        begun += await reader.readuntil(b"\r\n\r\n")
        head, _end, body = begun.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    await reader.readexactly(max(0, (int(length[1]) if length else 0) - len(body)))
    back.write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
    )
    await back.drain()
