"""Watch of worker processes: ends are reported at once, with and without pidfds."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.process_workers import launcher_in, pid_of, process_spec
from tests.support.waiting import wait_for

LONG = 20.0  # a wait that a change must end


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    yield from launcher_in(tmp_path)


def _no_pidfds(_pid: int) -> int:
    raise OSError("not supported")


@pytest.fixture(params=["pidfd", "lock"])
def watch(
    launcher: ProcessLauncher, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], frozenset[str]]:
    """The `wait` of a launcher, on a kernel with and without pidfds."""
    if request.param == "lock":
        monkeypatch.setattr(os, "pidfd_open", _no_pidfds)
    return lambda seconds: launcher.wait_for_changes(seconds).ended


def _after(seconds: float, act: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_each_end_is_reported_once_and_at_once(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]]
) -> None:
    specs = [process_spec(f"worker-job-{number}-1") for number in range(3)]
    for spec in specs:
        launcher.launch(spec, still_wanted=lambda: True)
    assert watch(0) == frozenset(), "a start frees nothing"

    victim = specs[1]
    ended_at: list[float] = []

    def end() -> None:
        launcher.terminate(victim.name, victim.attempt_id, grace_seconds=0)
        ended_at.append(time.monotonic())

    ending = _after(0.2, end)
    assert watch(LONG) == {victim.name}
    reported_at = time.monotonic()
    assert not next(iter(launcher.observe([victim.name]))).alive
    ending.join()
    assert reported_at - ended_at[0] < 1.0
    assert watch(0) == frozenset()


def test_a_worker_of_another_launcher_is_reported(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]], tmp_path: Path
) -> None:
    """The dispatcher launches and the reconciler waits, each in its own process."""
    assert watch(0) == frozenset()
    other = next(launcher_in(tmp_path))
    spec = process_spec()

    def run() -> None:
        other.launch(spec, still_wanted=lambda: True)
        other.terminate(spec.name, spec.attempt_id, grace_seconds=0)

    _after(0.2, run)
    assert watch(LONG) == {spec.name}


def test_a_worker_that_began_and_ended_between_two_waits_is_reported(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]]
) -> None:
    assert watch(0) == frozenset()
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    assert watch(LONG) == {spec.name}


def test_the_end_of_a_supervisor_whose_parent_was_killed_is_reported(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]]
) -> None:
    """The lock is free after both have ended. No watched process belongs to the second end."""
    spec = process_spec(holds_twice=True)
    launcher.launch(spec, still_wanted=lambda: True)
    assert watch(0) == frozenset()
    first = psutil.Process(pid_of(launcher, spec.name))
    second: psutil.Process = wait_for(lambda: next(iter(first.children()), None), "the second")
    first.send_signal(signal.SIGKILL)
    assert watch(1.0) <= {spec.name}, "with a pidfd its end is reported, else nothing"
    assert next(iter(launcher.observe())).alive, "its supervisor still holds the lock"
    assert watch(0.5) == frozenset(), "it is reported once, even while nobody reaps it"
    _after(0.2, lambda: second.send_signal(signal.SIGKILL))
    assert watch(LONG) == {spec.name}


def test_a_removed_worker_is_forgotten(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]]
) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    watch(0)
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    watch(LONG)
    launcher.clean_up(spec.name, spec.attempt_id)
    assert watch(0.3) == frozenset()
    again = process_spec()
    launcher.launch(again, still_wanted=lambda: True)
    assert watch(0) == frozenset()
    launcher.terminate(again.name, again.attempt_id, grace_seconds=0)
    assert watch(LONG) == {spec.name}, "the same name again is a new worker"


def test_a_worker_that_is_named_long_after_its_folder_is_reported(
    launcher: ProcessLauncher, watch: Callable[[float], frozenset[str]]
) -> None:
    """The starter waits for the disk, so the time of the parent folder no longer shows a change."""
    spec = process_spec()
    (launcher._root / spec.name).mkdir()
    old = time.time() - 60
    os.utime(launcher._root, (old, old))
    assert watch(0) == frozenset()
    launcher.launch(spec, still_wanted=lambda: True)
    os.utime(launcher._root, (old, old))
    assert watch(0) == frozenset()
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    assert watch(LONG) == {spec.name}


def test_waiting_keeps_no_descriptor_of_an_ended_worker(launcher: ProcessLauncher) -> None:
    before = psutil.Process().num_fds()
    for _ in range(5):
        spec = process_spec()
        launcher.launch(spec, still_wanted=lambda: True)
        launcher.wait_for_changes(0)
        launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
        launcher.wait_for_changes(LONG)
        launcher.clean_up(spec.name, spec.attempt_id)
    assert psutil.Process().num_fds() <= before + 1
    launcher.launch(process_spec("worker-job-y-1"), still_wanted=lambda: True)
    launcher.wait_for_changes(0)
    launcher.close()
    assert psutil.Process().num_fds() <= before + 1
