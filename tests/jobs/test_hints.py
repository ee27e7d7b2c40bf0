"""Hints over Redis.

A message without a valid signature of ours starts and stops nothing.
"""

import json
import os
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from redis import Redis
from rq import Callback, Queue
from rq.command import send_shutdown_command
from rq.serializers import JSONSerializer

from jobs.core import queue
from jobs.core.hints import Operation, RejectedHint, Verifier, sealed

pytestmark = pytest.mark.usefixtures("servers")

KEYS = ("k" * 40, "o" * 40)
FIELDS = ("operation", "arguments", "sent_at", "nonce", "proof")
CRITICAL = "rq:queue:mimir-critical"


@pytest.fixture
def redis() -> Iterator[Redis]:
    client = Redis.from_url(settings.ENV.redis_url)
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def ran() -> list[tuple[Any, ...]]:
    return []


def _work(ran: list[tuple[Any, ...]]) -> queue.HintWorker:
    """Process all queued messages and return the worker."""
    operations = {
        Operation.WAKE: lambda *a: ran.append(("wake", *a)),
        Operation.LAUNCH: lambda *a: ran.append(("launch", *a)),
    }
    worker = queue.worker(operations)
    worker.work(burst=True, logging_level="CRITICAL")
    return worker


def _rejected(reason: str) -> float:
    value: float = queue.REJECTED.labels(reason=reason)._value.get()
    return value


def _hash(redis: Redis, fields: dict[str, Any]) -> None:
    identity = str(uuid.uuid4())
    redis.hset(f"rq:job:{identity}", mapping=fields)
    redis.rpush(CRITICAL, identity)


def _data(message: object) -> bytes:
    return json.dumps(["wake", None, [message], {}]).encode()


def _enqueue(redis: Redis, function: str, *arguments: Any, **named: Any) -> None:
    Queue("mimir-critical", connection=redis, serializer=JSONSerializer).enqueue(
        function, args=arguments, **named
    )


REASONS = {
    "another key": "bad_signature",
    "an old hint": "expired",
    "a hint of the future": "expired",
    "text outside ASCII": "bad_signature",
}
FORGED: dict[str, Callable[[Redis, str], object]] = {
    "a function of the system": lambda redis, path: _enqueue(redis, "os.system", f"touch {path}"),
    "the operation of an earlier release": lambda redis, path: _enqueue(
        redis, "jobs.dispatch.dispatcher.wake", "critical"
    ),
    "callbacks": lambda redis, path: _enqueue(
        redis, "wake", "{}", on_success=Callback("os.remove"), on_failure=Callback("os.remove")
    ),
    "no proof": lambda redis, path: _hash(
        redis, {"data": _data(json.dumps({"operation": "wake", "arguments": "[]"}))}
    ),
    "another key": lambda redis, path: _hash(
        redis, {"data": _data(sealed(Operation.WAKE, ["critical"], keys=["x" * 40]))}
    ),
    "an old hint": lambda redis, path: _hash(
        redis,
        {
            "data": _data(
                sealed(
                    Operation.WAKE,
                    ["critical"],
                    keys=settings.ENV.worker_keys,
                    now=time.time() - 3600,
                )
            )
        },
    ),
    "a hint of the future": lambda redis, path: _hash(
        redis,
        {
            "data": _data(
                sealed(
                    Operation.WAKE,
                    ["critical"],
                    keys=settings.ENV.worker_keys,
                    now=time.time() + 3600,
                )
            )
        },
    ),
    "no JSON": lambda redis, path: _hash(redis, {"data": b"\x80\x04cos\nsystem\n"}),
    "bad fields of RQ": lambda redis, path: _hash(
        redis, {"data": _data("{}"), "timeout": "x", "ttl": "y", "status": "z", "meta": b"\xff"}
    ),
    "a bomb": lambda redis, path: _hash(redis, {"data": zlib.compress(b" " * 64 * 1024**2, 9)}),
    "too large": lambda redis, path: _hash(redis, {"data": b" " * 2 * 1024**2}),
    "deep JSON": lambda redis, path: _hash(redis, {"data": b"[" * 100_000}),
    "text outside ASCII": lambda redis, path: _hash(
        redis, {"data": _data(json.dumps(dict.fromkeys(FIELDS, "é\ud800")))}
    ),
    "an id that is no text": lambda redis, path: redis.rpush(CRITICAL, b"\xff\xfe"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_message_runs_nothing_and_the_next_hint_runs(
    redis: Redis, ran: list[tuple[Any, ...]], tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "ran"
    reason = REASONS.get(name, "malformed")
    before = _rejected(reason)
    FORGED[name](redis, str(mark))
    queue.wake("normal")
    worker = _work(ran)
    assert ran == [("wake", "normal")]
    assert not mark.exists()
    assert _rejected(reason) == before + 1
    assert not worker.stop_requested
    assert not redis.keys("rq:failed:*")


def test_a_message_of_another_type_of_key_is_only_a_redis_that_is_away(
    redis: Redis, ran: list[tuple[Any, ...]]
) -> None:
    redis.set(CRITICAL, "no list")
    _work(ran)
    assert ran == []


def test_both_operations_arrive_with_their_arguments(
    redis: Redis, ran: list[tuple[Any, ...]]
) -> None:
    attempt = uuid.uuid4()
    queue.launch([attempt], "normal")
    queue.wake("critical")
    _work(ran)
    assert ran == [("wake", "critical"), ("launch", [str(attempt)])]
    assert not redis.keys("rq:job:*")


def test_a_copied_hint_runs_once(redis: Redis, ran: list[tuple[Any, ...]]) -> None:
    message = sealed(Operation.WAKE, ["critical"], keys=settings.ENV.worker_keys)
    _hash(redis, {"data": _data(message)})
    _hash(redis, {"data": _data(message)})
    _work(ran)
    assert ran == [("wake", "critical")]


def test_a_command_over_redis_does_not_stop_the_worker(
    redis: Redis, ran: list[tuple[Any, ...]]
) -> None:
    worker = queue.worker(
        {Operation.WAKE: lambda *a: ran.append(a), Operation.LAUNCH: lambda *a: None}
    )
    thread = threading.Thread(
        target=lambda: worker.work(max_jobs=1, logging_level="CRITICAL"), daemon=True
    )
    worker._install_signal_handlers = lambda: None  # type: ignore[method-assign]  # only a main thread may
    thread.start()
    while not redis.keys("rq:worker:*"):
        time.sleep(0.01)
    redis.set("rq:suspended", 1)
    send_shutdown_command(redis, worker.name)
    queue.wake("low")
    thread.join(10)
    assert ran == [("low",)]
    assert os.getpid()  # SIGINT would have ended this test


def test_an_operation_that_raises_leaves_the_worker_running(
    redis: Redis, ran: list[tuple[Any, ...]]
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError

    queue.launch([uuid.uuid4()], "critical")
    queue.wake("low")
    queue.worker({Operation.WAKE: lambda *a: ran.append(a), Operation.LAUNCH: fails}).work(
        burst=True, logging_level="CRITICAL"
    )
    assert ran == [("low",)]


def _changed(message: str, **fields: str) -> str:
    return json.dumps({**json.loads(message), **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "launch"},
        {"arguments": '["low"]'},
        {"sent_at": "9e9"},
        {"nonce": "0"},
        {"proof": "é"},
    ],
)
def test_no_part_of_a_hint_can_be_changed(fields: dict[str, str]) -> None:
    message = sealed(Operation.WAKE, ["critical"], keys=KEYS)
    with pytest.raises(RejectedHint, match="bad_signature"):
        Verifier(KEYS).opened(_changed(message, **fields))


def test_a_hint_under_the_key_that_is_rotated_out_is_still_taken() -> None:
    message = sealed(Operation.WAKE, ["low"], keys=[KEYS[1]])
    assert Verifier(KEYS).opened(message).arguments == ["low"]
    with pytest.raises(RejectedHint, match="bad_signature"):
        Verifier(KEYS[:1]).opened(message)
