"""`make up` for a user.

Files that it writes, Ctrl-C, a killed supervisor, a used port, and a second start.
"""

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from mimir.dev.paths import MARKER, ROOT, Places
from mimir.dev.ports import free_port
from tests.support.installation import left_of
from tests.support.stack import Stack, started
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def _installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from started(Stack(tmp_path_factory.mktemp("installation")))


@pytest.fixture
def stack(_installation: Stack) -> Stack:
    if _installation.process is None or _installation.process.poll() is not None:
        _installation.start()
    wait_for(_installation.answers, "the installation answers")
    return _installation


def _of_it(stack: Stack) -> list[psutil.Process]:
    """Return the processes of the supervisor and the children of PostgreSQL."""
    data = str(Places(stack.var).database_home / "data")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(stack.var) or process.cwd() == data:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _up(stack: Stack, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `make up` in a case in which it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "mimir.dev", "up"],
        cwd=ROOT,
        env=stack.environment | environment,
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_addresses_and_credentials_are_written_for_their_owner_alone(stack: Stack) -> None:
    path = stack.var / "demo.json"
    described = json.loads(path.read_text())
    assert set(described) == {
        "frontend_url",
        "orchestrator_url",
        "username",
        "password",
        "token",
        "project",
        "supervisor_pid",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert described["supervisor_pid"] == stack.process.pid if stack.process else False
    assert len(described["password"]) >= 16
    for url in ("frontend_url", "orchestrator_url"):
        assert httpx.get(f"{described[url]}/health", trust_env=False).status_code == 200


def test_the_token_still_opens_after_a_second_start(stack: Stack) -> None:
    before = stack.described
    assert stack.stop() == 0
    stack.start()
    assert (stack.described["token"], stack.described["password"]) == (
        before["token"],
        before["password"],
    )
    assert stack.answers()


def test_the_frontend_gets_no_address_of_a_store(stack: Stack) -> None:
    (pid,) = stack.pids("frontend")
    given = psutil.Process(pid).environ()
    assert not {"DATABASE_URL", "REDIS_URL", "WORKER_KEYS", "BOOTSTRAP_PASSWORD"} & set(given)
    (web,) = stack.pids("web")
    assert given["SECRET_KEY"] != psutil.Process(web).environ()["SECRET_KEY"]


FORKED = ("web", "dispatcher", "reconciler")


def _fork_servers(stack: Stack) -> list[psutil.Process]:
    found = []
    for process in _of_it(stack):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "mimir.dev.service_fork_server" in process.cmdline():
                found.append(process)
    return found


def _shared_mebibytes(pid: int) -> float:
    """Return the memory that a process shares with another one, except memory of files."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    [kibibytes] = [line.split()[1] for line in text.splitlines() if line.startswith("Shared_Dirty")]
    return int(kibibytes) / 1024


def _started_at(stack: Stack, component: str) -> dt.datetime:
    """Return the start of the newest process of a component, as the System page shows it."""
    rows = stack.call("GET", "/api/v1/system/").json()["components"]
    return max(
        dt.datetime.fromisoformat(row["started_at"])
        for row in rows
        if row["component"] == component and row["started_at"]
    )


def _replaced(stack: Stack, name: str) -> psutil.Process:
    """Kill a process; return the one that the supervisor starts as a replacement."""
    killed = stack.kill(name)
    [pid] = wait_for(
        lambda: [pid for pid in stack.pids(name) if pid != killed], f"{name} was started again", 60
    )
    return psutil.Process(pid)


def test_the_processes_of_the_orchestrator_share_their_memory_also_after_a_restart(
    stack: Stack,
) -> None:
    assert stack.process is not None
    for name in FORKED:
        [pid] = stack.pids(name)
        assert _shared_mebibytes(pid) > 15, name
        assert psutil.Process(pid).ppid() == stack.process.pid
    before = dt.datetime.now(dt.UTC)
    replaced = _replaced(stack, "dispatcher")
    assert _shared_mebibytes(replaced.pid) > 15
    wait_for(lambda: _started_at(stack, "dispatcher") > before, "System shows its start")
    stack.assert_whole(stack.submit_oracle())


def test_without_the_fork_server_everything_continues_and_restarts(stack: Stack) -> None:
    [server] = _fork_servers(stack)
    server.kill()
    for name in FORKED:
        replaced = _replaced(stack, name)
        assert _shared_mebibytes(replaced.pid) < 5, "it has an interpreter of its own"
    wait_for(stack.answers, "the API answers", 60)
    stack.assert_whole(stack.submit_oracle())
    assert stack.stop() == 0
    assert _of_it(stack) == []


def test_everything_listens_on_this_machine_alone(stack: Stack) -> None:
    listening = []
    for process in _of_it(stack):
        with contextlib.suppress(psutil.NoSuchProcess):  # short-lived processes of PostgreSQL
            listening += [
                connection.laddr.ip
                for connection in process.net_connections("inet")
                if connection.status == "LISTEN"
            ]
    assert len(listening) >= 4
    assert set(listening) == {"127.0.0.1"}


def test_a_second_start_is_refused_and_harms_nothing(stack: Stack) -> None:
    before = {process.pid for process in _of_it(stack)}
    second = _up(stack, PORT=str(free_port()), API_PORT=str(free_port()))
    assert second.returncode == 2
    assert "runs here already" in second.stderr
    assert before <= {process.pid for process in _of_it(stack)}
    assert stack.answers()


def test_a_taken_port_is_one_clear_message(stack: Stack, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = _up(stack, VAR_DIR=str(tmp_path / "var"), PORT=str(port))
    assert found.returncode == 2
    assert found.stdout == ""
    assert f"Port {port} is in use by another program" in found.stderr
    assert "PORT=" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_ctrl_c_puts_running_jobs_back_and_leaves_nothing(stack: Stack) -> None:
    job = stack.submit_oracle(
        'if [ "$(grep -c "^$JOB_ID " ' + str(stack.oracle) + ')" = 1 ]; then sleep 300; fi'
    )
    stack.wait_status(job, "running")
    wait_for(lambda: stack.ran(job), "its command runs")
    theirs = subprocess.Popen(["sleep", "120"], start_new_session=True)
    try:
        assert stack.stop() == 0
        assert _of_it(stack) == []
        assert left_of(job) == []
        assert stack.workers() == []
        assert theirs.poll() is None, "what it did not start stays"
    finally:
        theirs.kill()
        theirs.wait()
    stack.start()
    ended = stack.assert_whole(job)
    assert (ended["attempt"], ended["attempts_used"]) == (2, 1)
    assert sorted(stack.ran(job).values()) == [1, 1]


def test_after_kill_9_of_the_supervisor_a_start_works_and_takes_the_worker_over(
    stack: Stack,
) -> None:
    job = stack.submit_oracle("sleep 8")
    stack.wait_status(job, "running")
    wait_for(lambda: stack.ran(job), "its command runs")
    worker = stack.worker_pid(job)
    assert stack.process is not None
    before = {process.pid for process in _of_it(stack)}
    stack.process.kill()
    stack.process.wait()
    stack.start()
    assert not before & {process.pid for process in _of_it(stack)}, "every process is a new one"
    assert psutil.pid_exists(worker) or stack.status(job) == "succeeded"
    stack.assert_whole(job)
    assert list(stack.ran(job).values()) == [1], "it went on: nothing was started twice"


def test_after_kill_9_of_everything_a_start_works(stack: Stack) -> None:
    job = stack.submit_oracle("sleep 1")
    for process in _of_it(stack):
        with contextlib.suppress(psutil.NoSuchProcess):  # ended with a killed process
            process.kill()
    assert stack.process is not None
    stack.process.kill()
    stack.process.wait()
    stack.start()
    stack.assert_whole(job)


def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    try:
        argv = [sys.executable, "-m", "mimir.dev", "up"]
        starting = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=stack.environment,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_for(
            lambda: (stack.var / "logs" / "postgres.log").exists(), "PostgreSQL is being started"
        )
        os.kill(starting.pid, signal.SIGTERM)
        assert starting.wait(60) == 0
        assert _of_it(stack) == []
    finally:
        stack.kill_everything()
        stack.forget()
