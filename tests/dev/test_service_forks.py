"""Fork server of the services: each forked process is independent, and is started once."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mimir.dev.paths import MARKER, ROOT
from mimir.dev.service_forks import AdoptedProcess, ServiceForks
from mimir.dev.services import Service
from mimir.dev.supervisor import start_process
from tests.support.waiting import wait_for

PR_SET_CHILD_SUBREAPER = 36
SECRET = "password-" + "7f" * 20
SECRET_PATTERN = rb"password-(?:7f){20}"
PROGRAM = """
import os, random, sys, tempfile, threading, time, uuid
from pathlib import Path
wanted, result = sys.argv[1:]
with open(result, "a") as file:
    print(os.getpid(), random.random(), uuid.uuid4(), Path(tempfile.mktemp()).name, file=file)
print("out", os.getcwd(), os.environ["WANTED"])
print("err", sys.argv[0], file=sys.stderr)
assert threading.main_thread() is threading.current_thread()
if wanted == "wait":
    time.sleep(60)
if wanted == "fail":
    raise ValueError("no such day")
sys.exit(int(wanted))
"""


class Place:
    """A program, the fork server, and the output of the forked processes."""

    def __init__(self, folder: Path, forks: ServiceForks) -> None:
        self.folder, self.forks = folder, forks
        self.program, self.result = folder / "program.py", folder / "result"
        self.program.write_text(PROGRAM)
        self.result.touch()
        self._earlier = set(psutil.Process().children())

    def children(self) -> list[psutil.Process]:
        """Return the children of this process that started after the fork server."""
        return [each for each in psutil.Process().children() if each not in self._earlier]

    def service(self, wanted: str, **more: str) -> Service:
        """Return a process that the server can fork."""
        return Service(
            "program",
            [sys.executable, self.program.name, wanted, self.result.name],
            {**os.environ, MARKER: str(self.folder), "WANTED": wanted, **more},
            lambda: True,
            cwd=self.folder,
            forks=True,
        )

    def fork(self, wanted: str, **more: str) -> AdoptedProcess | None:
        """Fork a process with its output in a file; return None if the server does not start it."""
        service = self.service(wanted, **more)
        with (self.folder / "output").open("ab") as output:
            return self.forks.fork(
                {
                    "argv": service.argv,
                    "environment": dict(service.environment),
                    "folder": str(service.cwd),
                },
                output.fileno(),
            )

    def forked(self, wanted: str, **more: str) -> AdoptedProcess:
        """Fork a process that must start."""
        process = self.fork(wanted, **more)
        assert process is not None
        return process

    def runs(self) -> list[list[str]]:
        """Return the lines of all runs."""
        return [line.split() for line in self.result.read_text().splitlines()]

    @property
    def output(self) -> str:
        """Return the output of all runs."""
        return (self.folder / "output").read_text()


@pytest.fixture
def crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of crash points; must be requested before `place`."""
    folder = tmp_path / "crash"
    folder.mkdir()
    monkeypatch.setenv("MIMIR_CRASH_POINTS", str(folder))
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    forks = ServiceForks(dict(os.environ), ROOT, tmp_path / "server.log")
    try:
        yield Place(tmp_path, forks)
    finally:
        forks.close()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_a_forked_process_is_independent(place: Place) -> None:
    process = place.forked("wait", PORT="7")
    wait_for(place.runs, "it runs")
    found = psutil.Process(process.pid)
    shown = found.environ()
    assert found.ppid() == os.getpid()
    assert os.getsid(process.pid) == process.pid
    assert [part for part in found.cmdline() if part] == place.service("wait").argv
    assert shown[MARKER] == str(place.folder)
    assert (shown["WANTED"], shown["PORT"]) == ("wait", "7")
    assert "MIMIR_FORK_REQUESTS_FD" not in shown
    assert {entry.path for entry in found.open_files()} == {str(place.folder / "output")}
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(process.pid)


def test_exit_code_and_output_are_those_of_an_interpreter(place: Place) -> None:
    assert place.forked("0").wait(30) == 0
    assert place.forked("3").wait(30) == 3
    assert place.forked("fail").wait(30) == 1
    assert f"out {place.folder} 3" in place.output
    assert f"err {place.program.name}" in place.output
    assert "ValueError: no such day" in place.output


def test_forked_processes_share_no_random_numbers(place: Place) -> None:
    for _ in range(2):
        assert place.forked("0").wait(30) == 0
    one, two = place.runs()
    assert not set(one) & set(two)


def test_the_server_opens_nothing_and_has_one_thread(place: Place) -> None:
    assert place.forked("0").wait(30) == 0
    server = psutil.Process(place.forks.pid)
    assert server.num_threads() == 1
    assert server.net_connections() == []
    assert server.num_fds() == 4, "input, output, errors and the socket of the supervisor"


def test_a_password_of_a_command_is_not_in_the_memory_of_the_server(place: Place) -> None:
    process = place.forked("wait", PASSWORD=SECRET)
    wait_for(place.runs, "it runs")
    try:
        assert _occurrences(process.pid) > 0, "the search finds it where it is"
        assert _occurrences(place.forks.pid) == 0
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def _occurrences(pid: int) -> int:
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, mode, *_rest = line.split()
            start, end = (int(part, 16) for part in area.split("-"))
            if "r" in mode and "[v" not in line:
                memory.seek(start)
                found += len(re.findall(SECRET_PATTERN, memory.read(end - start)))
    return found


@pytest.mark.parametrize(
    "point", ["service.before_fork", "service.after_fork", "service.before_accept"]
)
def test_a_death_at_each_moment_of_a_request_starts_the_process_once(
    crash: Path, place: Place, point: str
) -> None:
    (crash / f"{point}.kill").touch()
    with (place.folder / "output").open("ab") as output:
        process = start_process(place.service("0"), output, place.forks)
    assert process.wait(30) == 0
    assert (crash / f"{point}.hit").exists()
    assert [int(run[0]) for run in place.runs()] == [process.pid]


def test_a_process_that_answers_too_late_does_not_run(crash: Path, place: Place) -> None:
    assert place.forked("0").wait(30) == 0
    point = "service.before_accept"
    (crash / f"{point}.hold").touch()
    place.forks._requests.settimeout(0.5)
    assert place.fork("0") is None
    wait_for((crash / f"{point}.held").exists, "it waits before its answer")
    (crash / f"{point}.go").touch()

    def no_child_is_left() -> bool:
        place.forks.reap_others([])
        return place.children() == []

    wait_for(no_child_is_left, "it has ended")
    assert len(place.runs()) == 1


def test_a_server_that_does_not_answer_is_ended_and_not_needed(place: Place) -> None:
    assert place.forked("0").wait(30) == 0
    server = psutil.Process(place.forks.pid)
    server.suspend()
    place.forks._requests.settimeout(0.5)
    with (place.folder / "output").open("ab") as output:
        for _ in range(2):
            process = start_process(place.service("0"), output, place.forks)
            assert isinstance(process, subprocess.Popen)
            assert process.wait(30) == 0
    assert not server.is_running()
    assert len(place.runs()) == 3


def test_forked_processes_survive_their_server(place: Place) -> None:
    process = place.forked("wait")
    wait_for(place.runs, "it runs")
    psutil.Process(place.forks.pid).kill()
    assert place.fork("0") is None
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM


def test_the_server_ends_with_its_supervisor(place: Place) -> None:
    assert place.forked("0").wait(30) == 0
    place.forks._requests.close()
    assert place.forks._server.wait(10) == 0


def test_a_server_with_wrong_settings_forks_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "JOB_TIMEOUT": "soon"}
    forks = ServiceForks(environment, ROOT, tmp_path / "server.log")
    try:
        assert Place(tmp_path, forks).fork("0") is None
        assert "JOB_TIMEOUT" in (tmp_path / "server.log").read_text()
    finally:
        forks.close()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_adopted_processes_are_reaped_when_they_end(place: Place) -> None:
    orphan = "import os, sys\nif os.fork() == 0:\n    sys.stdin.read()\n"
    read, write = os.pipe()
    starter = subprocess.Popen([sys.executable, "-c", orphan], stdin=read)
    os.close(read)
    starter.wait(10)
    [adopted] = place.children()
    os.close(write)

    def is_reaped() -> bool:
        place.forks.reap_others([])
        return not adopted.is_running()

    wait_for(is_reaped, "it is reaped")
