"""Fork server of the process launcher: each worker is started once, despite crashes and hangs."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.clusters.launchers import fork_server, processes, worker_folder
from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.process_workers import process_spec
from tests.support.orchestrator import Orchestrator
from tests.support.waiting import wait_for

TOKEN = "token-" + "7f" * 20
TOKEN_PATTERN = rb"token-(?:7f){20}"
# Counts the tokens in the memory of its own process.
SCAN = f"""
import re, sys
from pathlib import Path
def scan(_descriptor):
    found = 0
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            area, mode, *_rest = line.split()
            start, end = (int(part, 16) for part in area.split("-"))
            if "r" in mode and "[v" not in line:
                memory.seek(start)
                found += len(re.findall({TOKEN_PATTERN!r}, memory.read(end - start)))
    print("tokens", found, flush=True)
    return 0
"""
# Does so in place of the workload of a worker.
SCANNING_WORKER = f"""{SCAN}
from jobs.worker import workload
workload.run_workload = scan
from jobs.worker.__main__ import main
sys.exit(main())
"""


class Place:
    """A launcher, the orchestrator of its workers, and a file to which each run appends a line."""

    def __init__(self, folder: Path) -> None:
        self.ran = folder / "ran"
        self.ran.touch()
        argv = ["sh", "-c", f"echo $ATTEMPT_ID >> {self.ran}; echo done"]
        self.orchestrator = Orchestrator([{"id": "run", "uses": "command", "with": {"argv": argv}}])
        self.launcher = ProcessLauncher(folder / "workers", installation="ours")

    @property
    def server(self) -> psutil.Process:
        """Process of the fork server."""
        assert self.launcher._fork_server is not None
        assert self.launcher._fork_server._server is not None
        return psutil.Process(self.launcher._fork_server._server.process.pid)

    def spec(self, name: str = "worker-job-x-1") -> LaunchSpec:
        """Return a worker that calls the orchestrator."""
        spec = process_spec(name)
        return LaunchSpec(
            **{
                **{field: getattr(spec, field) for field in spec.__dataclass_fields__},
                "orchestrator_url": self.orchestrator.url,
                "token": TOKEN,
            }
        )

    def launch(self, name: str = "worker-job-x-1") -> LaunchSpec:
        """Launch a worker; return its spec."""
        spec = self.spec(name)
        self.launcher.launch(spec, still_wanted=lambda: True)
        return spec

    def runs(self, spec: LaunchSpec) -> int:
        """Wait until the worker is gone; return how many times its job ran."""
        wait_for(lambda: self.launcher.is_gone(spec.name, spec.attempt_id), "it is gone")
        ended = worker_folder.read_json(self.launcher._root / spec.name / "exit.json")
        assert ended["code"] == 0
        return self.ran.read_text().splitlines().count(spec.attempt_id)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for observed in place.launcher.observe():
        place.launcher.terminate(observed.name, observed.attempt_id, grace_seconds=0)
    place.launcher.close()
    place.orchestrator.close()


@pytest.fixture
def crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of crash points; must be requested before `place`."""
    folder = tmp_path / "crash"
    folder.mkdir()
    monkeypatch.setenv("MIMIR_CRASH_POINTS", str(folder))
    return folder


def test_a_worker_is_a_fork_of_the_server(place: Place) -> None:
    place.launcher.prepare()
    spec = place.launch()
    assert place.runs(spec) == 1
    assert place.server.is_running()
    assert place.orchestrator.accepted is not None
    assert place.orchestrator.accepted["status"] == "succeeded"
    assert place.orchestrator.log.endswith(b" stdout F done\n")


def test_the_server_imports_the_query_engine_after_its_first_worker(place: Place) -> None:
    """A machine without jobs uses no memory for it, and later workers do not import it."""
    found = place.ran.with_name("found")
    count = f"grep -c duckdb /proc/$PPID/maps >> {found}; echo $ATTEMPT_ID >> {place.ran}"
    step = {"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", count]}}
    place.orchestrator.claim["inputs"][0]["definition"]["steps"] = [step]
    place.launcher.prepare()
    server = place.server
    for name in ("worker-job-x-1", "worker-job-y-1"):
        assert place.runs(place.launch(name)) == 1
    first, second = map(int, found.read_text().split())
    assert first == 0
    assert second > 0
    assert (place.server.pid, place.server.num_threads()) == (server.pid, 1)


@pytest.mark.parametrize(
    "point", ["worker.before_fork", "worker.after_fork", "worker.before_accept"]
)
def test_a_death_at_each_moment_of_a_request_starts_the_worker_once(
    crash: Path, place: Place, point: str
) -> None:
    (crash / f"{point}.kill").touch()
    spec = place.launch()
    wait_for((crash / f"{point}.hit").exists, "the process was killed")
    assert place.runs(spec) == 1


def test_a_server_that_was_killed_is_started_again(place: Place) -> None:
    place.launcher.prepare()
    killed = place.server
    killed.kill()
    spec = place.launch()
    assert place.runs(spec) == 1
    assert place.server.pid != killed.pid


def test_a_server_that_does_not_answer_is_replaced(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_SECONDS", 0.5)
    place.launcher.prepare()
    stopped = place.server
    stopped.suspend()
    spec = place.launch()
    assert place.runs(spec) == 1
    assert not stopped.is_running()


def test_a_process_that_answers_too_late_does_not_become_a_second_worker(
    crash: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_SECONDS", 2.0)
    point = "worker.before_accept"
    (crash / f"{point}.hold").touch()
    place.launcher.prepare()
    server = place.server
    forked: list[psutil.Process] = []

    def note() -> None:
        wait_for(lambda: (crash / f"{point}.held").exists(), "a process is about to answer")
        forked.extend(server.children())

    noting = threading.Thread(target=note)
    noting.start()
    spec = place.launch()
    noting.join()
    (crash / f"{point}.go").touch()
    wait_for(lambda: not forked[0].is_running(), "it has ended")
    assert place.runs(spec) == 1


def test_without_a_server_workers_have_an_interpreter_of_their_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.launcher._fork_server is not None
    monkeypatch.setattr(place.launcher._fork_server, "_argv", ["/nowhere/python"])
    assert place.runs(place.launch()) == 1


def test_requests_at_the_same_time_start_each_worker_once(place: Place) -> None:
    names = [f"worker-job-x{number}-1" for number in range(8)]
    specs: list[LaunchSpec] = []
    threads = [
        threading.Thread(target=lambda name=name: specs.append(place.launch(name)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place.runs(spec) for spec in specs] == [1] * 8


def test_the_server_and_the_workload_have_no_secret(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x", "SECRET_KEY": "x"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert place.launcher._fork_server is not None
    argv = [sys.executable, "-S", "-c", SCANNING_WORKER]
    monkeypatch.setattr(place.launcher._fork_server, "_argv", argv)
    spec = place.launch()
    wait_for(lambda: b"tokens" in place.orchestrator.log, "it has searched its memory")
    assert b" F tokens 0\n" in place.orchestrator.log
    assert not secrets.keys() & place.server.environ().keys()
    wait_for(lambda: place.launcher.is_gone(spec.name, spec.attempt_id), "it is gone")


def test_a_workload_of_an_interpreter_has_no_token_in_its_memory(tmp_path: Path) -> None:
    orchestrator = Orchestrator([])
    environment = {
        "PATH": os.environ["PATH"],
        "JOB_ID": "j",
        "JOB_TYPE": "pipeline_execution",
        "ATTEMPT_ID": "a",
        "JOB_TOKEN": TOKEN,
        "ORCHESTRATOR_URL": orchestrator.url,
        "MIMIR_DATA_DIR": str(tmp_path),
        "PYTHONPATH": os.getcwd(),
    }
    ran = subprocess.run(
        [sys.executable, "-S", "-c", SCANNING_WORKER],
        env=environment,
        capture_output=True,
        check=True,
    )
    orchestrator.close()
    assert re.search(rb" F tokens 0\n", ran.stdout), ran.stderr


def test_a_token_is_in_no_memory_while_it_is_in_its_pipe() -> None:
    code = f"""{SCAN}
from jobs.worker.launch_token import hide_token, read_token
descriptor = hide_token()
scan(0)
print(read_token(descriptor))
"""
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"JOB_TOKEN": TOKEN, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        check=True,
        text=True,
    )
    assert ran.stdout.splitlines() == ["tokens 0", TOKEN]


def test_the_processes_of_an_attempt_are_found_by_their_environment(
    place: Place, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    place.orchestrator.claim["inputs"][0]["definition"]["steps"][0]["with"]["argv"] = [
        "sh",
        "-c",
        f"while [ ! -e {go} ]; do sleep 0.05; done",
    ]
    spec = place.launch()

    def workload() -> psutil.Process | None:
        for pid in processes.bearers().get(spec.attempt_id, []):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                if "jobs.worker.workload" in psutil.Process(pid).cmdline():
                    return psutil.Process(pid)
        return None

    running = wait_for(lambda: (found := workload()) and found.children() and found, "it runs")
    assert running.environ()["HOME"] == str(place.launcher._root / spec.name / "data")
    assert "ORCHESTRATOR_URL" not in running.environ()
    assert place.server.pid not in processes.bearers().get(spec.attempt_id, [])
    place.launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    wait_for(lambda: place.launcher.is_gone(spec.name, spec.attempt_id), "it is gone")


def test_the_server_ends_with_its_launcher_and_its_workers_continue(tmp_path: Path) -> None:
    place = Place(tmp_path)
    go = tmp_path / "go"
    argv = [
        "sh",
        "-c",
        f"while [ ! -e {go} ]; do sleep 0.05; done; echo $ATTEMPT_ID >> {place.ran}",
    ]
    place.orchestrator.claim["inputs"][0]["definition"]["steps"][0]["with"]["argv"] = argv
    spec = place.spec()
    code = f"""
import time
from pathlib import Path
from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.launchers.process import ProcessLauncher
launcher = ProcessLauncher(Path({str(tmp_path / "workers")!r}), installation="ours")
launcher.launch({spec!r}, still_wanted=lambda: True)
print(launcher._fork_server._server.process.pid, flush=True)
time.sleep(600)
"""
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    wait_for(lambda: not server.is_running(), "the server has ended")
    assert [observed.alive for observed in place.launcher.observe()] == [True]
    go.touch()
    assert place.runs(spec) == 1
    place.orchestrator.close()
