"""Delays between failed calls of a worker: Retry-After, jitter and the retry limit."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import WorkerLimits
from jobs.worker import client as client_module
from jobs.worker.client import (
    FIRST_PAUSE_SECONDS,
    LAST_PAUSE_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    Client,
    Unreachable,
)
from jobs.worker.reporting import Reporter
from jobs.worker.retry_time import shortened
from jobs.worker.shipping import LogShipper
from jobs.worker.spool import Spool
from jobs.worker.stopping import Stop
from tests.support.orchestrator import LIMITS

LINE = b"2026-01-01T00:00:00.000000000Z stdout F hello\n"
BUSY = b'{"code": "overloaded", "message": "The server is busy.", "detail": {}}'


class Server:
    """Scripted responses of the orchestrator in virtual time, and the delays between the calls."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers, self.pauses, self.now = list(answers), list[float](), 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def send(self, *_call: Any) -> Any:
        """Replace `Client._send`."""
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return SimpleNamespace(
            status=status,
            getheader=lambda name, default=None: headers.get(name, default),
            read=lambda: b"{}" if status == 200 else BUSY,
        )


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Send a heartbeat against scripted responses."""

    def run(*answers: tuple[int, dict[str, str]], patience_seconds: float = 1000.0) -> Server:
        server = Server(*answers)
        monkeypatch.setattr(client_module, "time", server)
        client = Client("http://127.0.0.1:1", "a", "token")
        monkeypatch.setattr(client, "_send", server.send)
        client.post("heartbeat", cast("Any", {}), patience_seconds=patience_seconds)
        return server

    return run


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_and_spread(call: Callable[..., Server], status: int) -> None:
    pauses = call(*[(status, {"Retry-After": "7"})] * 40).pauses
    assert len(pauses) == 40
    assert min(pauses) >= 7
    assert max(pauses) <= 10.5
    assert max(pauses) - min(pauses) > 1, "the workers would all come back at the same moment"


def test_a_very_long_retry_after_is_cut(call: Callable[..., Server]) -> None:
    pauses = call((503, {"Retry-After": "86400"})).pauses
    assert RETRY_AFTER_SECONDS_MAX <= pauses[0] <= 1.5 * RETRY_AFTER_SECONDS_MAX


def test_retry_after_does_not_outlast_the_patience_of_the_caller(
    call: Callable[..., Server],
) -> None:
    busy = (503, {"Retry-After": "30"})
    assert call(busy, patience_seconds=5.0).pauses == [1.25], "one of several pauses"
    with pytest.raises(Unreachable, match="503 overloaded"):
        call(*[busy] * 40, patience_seconds=5.0)


@pytest.mark.parametrize("header", [{}, {"Retry-After": "Mon, 30 Nov 2026 12:00:00 GMT"}])
def test_without_seconds_the_pauses_grow_and_are_spread(
    call: Callable[..., Server], header: dict[str, str]
) -> None:
    pauses = call(*[(503, header)] * 60).pauses
    longest = [min(FIRST_PAUSE_SECONDS * 2**n, LAST_PAUSE_SECONDS) for n in range(60)]
    assert all(0 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert min(pauses[10:]) < LAST_PAUSE_SECONDS / 4
    assert max(pauses[10:]) > LAST_PAUSE_SECONDS / 2


class BusyOnce:
    """Client whose first call is refused with a delay. `times`: the times of its calls."""

    def __init__(self, answer: dict[str, Any], seconds: float = 0.5) -> None:
        self.times: list[float] = []
        self.refused, self.answered = threading.Event(), threading.Event()
        self._answer, self._seconds = answer, seconds

    def post(self, *_call: Any, **_named: Any) -> dict[str, Any]:
        self.times.append(time.monotonic())
        if len(self.times) == 1:
            self.refused.set()
            raise Unreachable("503 overloaded: The server is busy.", self._seconds)
        self.answered.set()
        return self._answer

    post_log = post


def _reporter(client: BusyOnce) -> Reporter:
    reporter = Reporter(
        cast("Any", client),
        Stop(lambda: None),
        cast("Any", SimpleNamespace(now_bytes=1, peak_bytes=1)),
        limits=WorkerLimits(**LIMITS),
        heartbeat_seconds=0.01,
    )
    reporter.start()
    return reporter


def _shipper(client: BusyOnce, folder: Path) -> LogShipper:
    spool = Spool(folder / "spool", limit_bytes=2**20)
    spool.append(LINE)
    shipper = LogShipper(cast("Any", client), spool, Stop(lambda: None))
    shipper.start()
    return shipper


def test_heartbeats_obey_retry_after() -> None:
    client = BusyOnce({"cancel": False})
    reporter = _reporter(client)
    assert client.answered.wait(20)
    reporter.end()
    assert client.times[1] - client.times[0] >= 0.5


def test_log_posts_obey_retry_after(tmp_path: Path) -> None:
    client = BusyOnce({"end": len(LINE)})
    _shipper(client, tmp_path)
    assert client.answered.wait(20)
    assert client.times[1] - client.times[0] >= 0.5


@pytest.mark.parametrize("part", ["log", "events"])
def test_a_pause_that_has_begun_is_shortened_when_the_worker_ends(
    tmp_path: Path, part: str
) -> None:
    client = BusyOnce({"end": len(LINE), "cancel": False}, seconds=60.0)
    thread = _shipper(client, tmp_path) if part == "log" else _reporter(client)
    assert client.refused.wait(20)
    thread.end_by(time.monotonic() + 4.0)
    assert client.answered.wait(20), "it would sleep for another minute"


@given(
    pause=st.floats(0.0, 90.0),
    left=st.floats(-10.0, 1000.0),
)
def test_a_shortened_pause_leaves_time_for_further_calls(pause: float, left: float) -> None:
    found = shortened(pause, left)
    assert 0 <= found <= pause
    assert found <= max(0.5, left / 4)
    if pause <= left / 4:
        assert found == pause
