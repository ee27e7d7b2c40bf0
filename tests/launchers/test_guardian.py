"""The report of the guardian shows that a worker is gone. Without it, processes are searched."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.clusters.launchers import processes
from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.process_workers import pid_of, process_spec
from tests.support.waiting import wait_for

# A worker with the real guardian. Its supervisor leaves a process that no mark shows, and one with
# the mark of the attempt, and ends on a signal.
GUARDED = """
import os, pathlib, signal, subprocess
from jobs.worker.guard_process import start_guardian
folder = pathlib.Path(os.environ["WORKER_DIR"])
child = os.fork()
if child:
    (folder / "pid").write_text(str(child))
    os._exit(0)
os.set_inheritable(int(os.environ["WORKER_LOCK_FD"]), False)
start_guardian(folder)
escaped = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
marked = subprocess.Popen(["sleep", "600"])
(folder / "new").write_text(f"{os.getpid()} {escaped.pid} {marked.pid}")
(folder / "new").rename(folder / "pids")
signal.pause()
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    launcher = ProcessLauncher(
        tmp_path / "workers", installation="ours", argv=[sys.executable, "-c", GUARDED]
    )
    yield launcher
    for observed in launcher.observe():
        launcher.terminate(observed.name, observed.attempt_id, grace_seconds=0)
    launcher.close()


def _pids(launcher: ProcessLauncher, name: str) -> list[int]:
    """Return the pids of the supervisor, of the escaped and of the marked process."""
    file = launcher._root / name / "pids"
    wait_for(file.exists, "its processes run")
    return [int(pid) for pid in file.read_text().split()]


def _unsearchable() -> dict[str, list[int]]:
    raise AssertionError("the processes of the machine were searched")


def test_a_reported_end_is_seen_without_a_search(
    launcher: ProcessLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    supervisor, *left = _pids(launcher, spec.name)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    os.kill(supervisor, signal.SIGKILL)
    assert launcher.wait_for_changes(20.0).ended == {spec.name}
    assert not any(map(psutil.pid_exists, left)), "the guardian ends what is left"
    with monkeypatch.context() as patched:
        patched.setattr(processes, "bearers", _unsearchable)
        observed = launcher.observe([spec.name])[0]
        assert (observed.alive, observed.processes) == (False, 0)
        assert launcher.is_gone(spec.name, spec.attempt_id)


def test_a_worker_whose_guardian_was_killed_is_gone_only_without_processes(
    launcher: ProcessLauncher,
) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    supervisor, escaped, marked = _pids(launcher, spec.name)
    os.kill(pid_of(launcher, spec.name), signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not launcher.observe()[0].alive, "its lock is free")
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    os.kill(marked, signal.SIGKILL)
    os.kill(escaped, signal.SIGKILL)
    wait_for(lambda: launcher.is_gone(spec.name, spec.attempt_id), "it is gone")


def test_a_start_never_leaves_the_report_of_the_one_before_it(launcher: ProcessLauncher) -> None:
    """The report is that of an earlier guardian. The present one can be killed."""
    spec = process_spec()
    folder = launcher._root / spec.name
    folder.mkdir()
    (folder / "empty").touch()
    launcher.launch(spec, still_wanted=lambda: True)
    supervisor, escaped, marked = _pids(launcher, spec.name)
    os.kill(pid_of(launcher, spec.name), signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not launcher.observe()[0].alive, "its lock is free")
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    for pid in (escaped, marked):
        os.kill(pid, signal.SIGKILL)
