"""Supervisor with processes that do only what the test needs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mimir.dev.paths import MARKER, Places
from mimir.dev.ports import answers, free_port
from mimir.dev.services import Service
from mimir.dev.stale_processes import end_leftovers, end_workers
from mimir.dev.supervisor import StartFailed, Supervisor
from tests.support.waiting import wait_for

_LISTEN = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, {on_term})
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    time.sleep(0.05)
"""
_OBEYS, _IGNORES = "lambda *_: sys.exit(0)", "signal.SIG_IGN"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    return Places.from_environment()


@pytest.fixture
def supervisor(places: Places) -> Iterator[Supervisor]:
    created = Supervisor(places)
    yield created
    created.stop_all()
    created.close()


def _service(
    places: Places, name: str, *, on_term: str = _OBEYS, stop_seconds: float = 5.0
) -> Service:
    port = free_port()
    return Service(
        name,
        [sys.executable, "-c", _LISTEN.format(on_term=on_term), str(port)],
        {**os.environ, MARKER: str(places.var)},
        lambda: answers(port),
        stop_seconds=stop_seconds,
    )


def _pid(supervisor: Supervisor, name: str) -> int:
    process = next(each.process for each in supervisor._running if each.service.name == name)
    assert process is not None
    return process.pid


def _watch_until_replaced(supervisor: Supervisor, name: str, pid: int) -> None:
    def replaced() -> bool:
        supervisor.watch_once()
        return _pid(supervisor, name) != pid

    wait_for(replaced, f"{name} was started again")


def test_a_dead_process_is_restarted_and_the_others_stay(
    supervisor: Supervisor, places: Places
) -> None:
    supervisor.start(_service(places, "one"), _service(places, "two"))
    one, two = _pid(supervisor, "one"), _pid(supervisor, "two")
    os.kill(one, signal.SIGKILL)
    _watch_until_replaced(supervisor, "one", one)
    assert _pid(supervisor, "two") == two


def test_a_process_in_a_crash_loop_waits_longer_each_time(
    supervisor: Supervisor, places: Places
) -> None:
    with pytest.raises(StartFailed):
        supervisor.start(
            Service("dying", [sys.executable, "-c", "import sys; sys.exit(3)"], {}, lambda: False)
        )
    running = supervisor._running[0]
    pauses: list[float] = []

    def restarted() -> bool:
        supervisor.watch_once()
        if not pauses or running.pause != pauses[-1]:
            pauses.append(running.pause)
        return len(pauses) >= 3

    wait_for(restarted, "three pauses")
    assert pauses == sorted(set(pauses))


def test_a_process_that_does_not_start_is_reported_with_the_end_of_its_log(
    supervisor: Supervisor,
) -> None:
    with pytest.raises(
        StartFailed, match=r"broken did not start\. Its log: .*broken\.log\n[\s\S]*no such day"
    ):
        supervisor.start(
            Service(
                "broken",
                [sys.executable, "-c", "raise SystemExit('no such day')"],
                {},
                lambda: False,
            )
        )


def test_somebody_elses_answer_does_not_make_a_dead_process_ready(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartFailed):
            supervisor.start(
                Service(
                    "late",
                    [sys.executable, "-c", "raise SystemExit(1)"],
                    {},
                    lambda: _after_a_while(port),
                )
            )


def _after_a_while(port: int) -> bool:
    time.sleep(0.3)
    return answers(port)


def test_a_stopped_process_learns_that_it_must_end(supervisor: Supervisor, places: Places) -> None:
    supervisor.start(_service(places, "held", stop_seconds=20))
    process = psutil.Process(_pid(supervisor, "held"))
    process.suspend()
    supervisor.stop("held")
    assert not process.is_running()


def test_a_process_that_does_not_listen_is_killed(supervisor: Supervisor, places: Places) -> None:
    supervisor.start(_service(places, "deaf", on_term=_IGNORES, stop_seconds=0.3))
    pid = _pid(supervisor, "deaf")
    supervisor.stop_all()
    assert not psutil.pid_exists(pid)


def test_a_stopped_process_is_not_started_again(supervisor: Supervisor, places: Places) -> None:
    supervisor.start(_service(places, "one"))
    supervisor.stop("one")
    supervisor.watch_once()
    assert not supervisor.has("one")


def test_a_log_that_grows_is_cut(
    supervisor: Supervisor, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimir.dev.supervisor.LOG_BYTES_MAX", 5)
    supervisor.start(_service(places, "one"))
    log = places.log("one")
    wait_for(lambda: "listening" in log.read_text(), "its first line")
    supervisor.watch_once()
    assert log.read_text() == ""
    assert "listening" in log.with_suffix(".old.log").read_text()


def test_leftovers_are_ended_and_nobody_else(places: Places) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(
        sleep, env={**os.environ, MARKER: str(places.var)}, start_new_session=True
    )
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "print(flush=True); time.sleep(60)",
        ],
        env={**os.environ, MARKER: str(places.var)},
        stdout=subprocess.PIPE,
    )
    theirs = subprocess.Popen(sleep, env={**os.environ, MARKER: f"{places.var}-other"})
    worker = subprocess.Popen(
        sleep, env={"PATH": os.environ["PATH"], "WORKER_DIR": str(places.var / "workers" / "w")}
    )
    try:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mimir.dev.stale_processes.ASK_SECONDS", 0.5)
            end_leftovers(places)
        assert ours.poll() is not None
        assert deaf.poll() is not None
        assert theirs.poll() is None
        assert worker.poll() is None, "workers are the reconciler's to end"
        end_workers(places)
        assert worker.poll() is not None
        assert theirs.poll() is None
    finally:
        for process in (ours, deaf, theirs, worker):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
