"""Attacks. Each sends a limited amount, and returns sentences about further faults."""

import contextlib
import io
import json
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow
import pyarrow.parquet
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from tests.support.stack import Stack

PROJECT = "attacked"
READ_PATH = f"/api/v1/projects/{PROJECT}/"


@dataclass(frozen=True)
class Target:
    """The installation, a member's credentials and the duration of attacks that hold connections."""  # noqa: E501

    stack: Stack
    hold_seconds: float

    def stranger(self) -> httpx.Client:
        """Return a client without credentials, through the frontend."""
        return self.stack.client_for(None)

    def member(self) -> httpx.Client:
        """Return a client with a token, through the frontend."""
        return self.stack.client_for(self.stack.described["token"])


Attack = Callable[[Target], list[str]]


def prepare(stack: Stack) -> None:
    """Create a project with a pipeline and three Parquet files of 10 million equal long values."""
    stack.project(PROJECT)
    for number in range(3):
        files = {"file": ("huge.parquet", _huge_profile())}
        answer = stack.client.post(
            f"/api/v1/projects/{PROJECT}/datasets/", data={"name": f"huge{number}"}, files=files
        )
        assert answer.status_code == 201, answer.text


def _huge_profile() -> bytes:
    """Return a few KB of Parquet: 10 million rows of one value of 100 KB."""
    indices = pyarrow.Array.from_buffers(
        pyarrow.int32(), 10_000_000, [None, pyarrow.py_buffer(bytes(4 * 10_000_000))]
    )
    table = pyarrow.table(
        {"text": pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(["x" * 100_000]))}
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd", row_group_size=10_000_000)
    return buffer.getvalue()


def _at_once(count: int, ask: Callable[[int], int]) -> list[int]:
    """Send requests concurrently and return their statuses; 0 for no response."""

    def send(number: int) -> int:
        with contextlib.suppress(httpx.HTTPError):
            return ask(number)
        return 0

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def _unexpected(statuses: list[int], *expected: int) -> list[str]:
    others = sorted({status for status in statuses if status not in expected})
    return [f"the attacker got {others}"] if others else []


def long_key_json(target: Target) -> list[str]:
    """Send 100 KB of JSON, a long key over a long list, as an anonymous client and as a member."""
    body = b'{"' + b"k" * 40_000 + b'": [' + b"0," * 29_999 + b"0]}"
    headers = {"Content-Type": "application/json"}
    with target.stranger() as stranger, target.member() as member:
        statuses = [
            stranger.post("/api/v1/session/", content=body, headers=headers).status_code
            for _ in range(3)
        ]
        statuses += [
            member.post("/api/v1/projects/", content=body, headers=headers).status_code
            for _ in range(3)
        ]
    return _unexpected(statuses, 400, 413)


def _checked_sql(target: Target, query: str, times: int) -> list[str]:
    definition = {"steps": [{"id": "run", "uses": "sql", "with": {"query": query}}]}

    def ask(_number: int) -> int:
        with target.member() as member:
            return member.post(
                f"/api/v1/projects/{PROJECT}/pipelines/validate/",
                json={"definition": definition},
                timeout=45,
            ).status_code

    return _unexpected(_at_once(times, ask), 200, 400, 429)


def nested_sql(target: Target) -> list[str]:
    """Send 88 bytes of SQL whose size a parser doubles again and again."""
    return _checked_sql(target, "WITH a AS (" * 8, 3)


def long_sql(target: Target) -> list[str]:
    """Send 90 KB of SQL that overflows a parser's stack."""
    return _checked_sql(target, "SELECT " + "@ " * 45_000 + "1", 3)


def slow_bodies(target: Target) -> list[str]:
    """Open 520 anonymous requests that announce a megabyte, send 20 KB and stop."""
    address = ("127.0.0.1", int(target.stack.environment["PORT"]))
    head = (
        f"POST /api/v1/session/ HTTP/1.1\r\nHost: localhost:{address[1]}\r\nContent-Type: "
        "application/json\r\nContent-Length: 1000000\r\n\r\n"
    )
    held, refused = [], 0
    try:
        for _ in range(520):
            try:
                connection = socket.create_connection(address, 5)
                held.append(connection)
                connection.sendall(head.encode() + b"x" * 20_000)
            except OSError:
                refused += 1
        time.sleep(target.hold_seconds)
    finally:
        for connection in held:
            connection.close()
    return [f"{refused} connections were not taken"] if refused else []


def slow_headers(target: Target) -> list[str]:
    """Open 520 connections with an incomplete header."""
    address = ("127.0.0.1", int(target.stack.environment["PORT"]))
    held = [socket.create_connection(address, 5) for _ in range(520)]
    try:
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        time.sleep(target.hold_seconds)
    finally:
        for connection in held:
            connection.close()
    return []


def sign_ins(target: Target) -> list[str]:
    """Sign in from 24 anonymous clients at once."""

    def ask(number: int) -> int:
        with target.stranger() as stranger:
            return stranger.post(
                "/api/v1/session/",
                json={"username": f"nobody{number}", "password": "wrong"},
                timeout=45,
            ).status_code

    return _unexpected(_at_once(24, ask), 401, 429)


def huge_profiles(target: Target) -> list[str]:
    """Request the profiles of three files as a member, each of which occupies a reader until its
    limit.

    Another user uploads 8 bytes meanwhile.
    """

    def ask(number: int) -> int:
        with target.member() as member:
            path = f"/api/v1/projects/{PROJECT}/datasets/huge{number}/versions/1/profile/"
            return member.get(path, timeout=target.hold_seconds + 20).status_code

    with ThreadPoolExecutor(1) as pool:
        responses = pool.submit(_at_once, 3, ask)
        time.sleep(2)
        with target.member() as member:
            files = {"file": ("t.csv", b"n\n1\n2\n")}
            name = f"small{uuid.uuid4().hex[:8]}"
            uploaded = member.post(
                f"/api/v1/projects/{PROJECT}/datasets/",
                data={"name": name},
                files=files,
                timeout=60,
            ).status_code
        statuses = responses.result()
    return _unexpected(statuses, 0, 200, 400, 429) + (
        [f"an upload of 6 bytes got {uploaded}"] if uploaded != 201 else []
    )


def forged_hint(target: Target) -> list[str]:
    """Enqueue `os.system` as an attacker with write access to Redis."""
    [web] = target.stack.pids("web")[:1]
    mark = Path(target.stack.folder / f"forged-{uuid.uuid4().hex}")
    connection: Any = Redis.from_url(psutil.Process(web).environ()["REDIS_URL"])
    for name in ("mimir-critical", "mimir-default", "default"):
        Queue(name, connection=connection, serializer=JSONSerializer).enqueue(
            "os.system", f"touch {mark}"
        )
    time.sleep(min(3.0, target.hold_seconds))
    connection.close()
    return ["the dispatcher ran a stranger's command"] if mark.exists() else []


def forged_address(target: Target) -> list[str]:
    """Send 60 wrong passwords for one user with forged addresses, through the frontend and
    directly.
    """
    found = []
    for way in ("PORT", "API_PORT"):
        port = target.stack.environment[way]
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Host": f"localhost:{port}"},
            trust_env=False,
            timeout=45,
        ) as client:
            statuses = []
            for number in range(60):
                headers = {"X-Forwarded-For": f"9.9.{number}.9", "Content-Type": "application/json"}
                body = json.dumps({"username": f"victim-{way.lower()}", "password": "wrong"})
                statuses.append(
                    client.post("/api/v1/session/", content=body, headers=headers).status_code
                )
                if statuses[-1] != 401:
                    break
        if len(statuses) == 60:
            found.append(f"60 wrong passwords were tried by {way}")
        found += _unexpected(statuses, 401, 403, 429)
    return found


ATTACKS: dict[str, Attack] = {
    "100 KB JSON": long_key_json,
    "88-byte SQL": nested_sql,
    "90 KB SQL": long_sql,
    "520 slow bodies": slow_bodies,
    "520 half headers": slow_headers,
    "24 sign-ins": sign_ins,
    "3 huge profiles": huge_profiles,
    "forged Redis message": forged_hint,
    "forged forwarded header": forged_address,
}
