"""Process launcher: one worker per name, alive while its lock is held, gone without processes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.clusters.launchers import processes
from jobs.clusters.launchers.base import LaunchRefused, LaunchUncertain
from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.process_workers import launcher_in, pid_of, process_spec
from tests.support.waiting import wait_for


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    yield from launcher_in(tmp_path)


def _ran(launcher: ProcessLauncher) -> list[str]:
    path = launcher._root / "ran"
    return path.read_text().splitlines() if path.exists() else []


def test_a_second_launch_adopts_the_worker_that_is_there(launcher: ProcessLauncher) -> None:
    spec = process_spec()
    first = launcher.launch(spec, still_wanted=lambda: True)
    second = launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    assert (first.adopted, second.adopted, second.uid) == (False, True, first.uid)
    assert _ran(launcher) == [spec.attempt_id]


def test_many_launches_at_once_start_one_worker(launcher: ProcessLauncher) -> None:
    spec = process_spec()
    threads = [
        threading.Thread(target=lambda: launcher.launch(spec, still_wanted=lambda: True))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: _ran(launcher), "it runs")
    assert _ran(launcher) == [spec.attempt_id]


def test_a_worker_that_has_ended_is_not_started_again(launcher: ProcessLauncher) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    folder = launcher._root / spec.name
    (folder / "exit.json").write_text(json.dumps({"code": 0}))
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    again = launcher.launch(spec, still_wanted=lambda: True)
    assert again.adopted
    assert _ran(launcher) == [spec.attempt_id]


def test_a_name_of_another_attempt_is_refused(launcher: ProcessLauncher) -> None:
    launcher.launch(process_spec(), still_wanted=lambda: True)
    with pytest.raises(LaunchRefused):
        launcher.launch(process_spec(), still_wanted=lambda: True)


def test_a_worker_of_another_installation_is_ignored(
    launcher: ProcessLauncher,
) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    other = ProcessLauncher(launcher._root, installation="theirs")
    assert other.observe() == []
    with pytest.raises(LaunchRefused):
        other.launch(spec, still_wanted=lambda: True)
    other.clean_up(spec.name, spec.attempt_id)
    assert [observed.alive for observed in launcher.observe()] == [True]


def test_what_is_not_wanted_any_more_is_not_started(launcher: ProcessLauncher) -> None:
    with pytest.raises(LaunchRefused):
        launcher.launch(process_spec(), still_wanted=lambda: False)
    assert (launcher.observe(), _ran(launcher)) == ([], [])


def test_a_supervisor_that_is_killed_is_dead_but_not_gone_while_its_workload_lives(
    launcher: ProcessLauncher,
) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher) and launcher.observe()[0].alive, "it is alive")
    wait_for(lambda: psutil.Process(pid_of(launcher, spec.name)).children(), "its workload runs")
    os.kill(pid_of(launcher, spec.name), signal.SIGKILL)
    observed = wait_for(
        lambda: (found := launcher.observe()[0]) and not found.alive and found, "its lock is free"
    )
    assert (observed.processes, observed.reason) == (1, "worker_lost")
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    assert (launcher._root / spec.name).exists(), "it was removed while something of it lived"
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=5)
    wait_for(lambda: launcher.is_gone(spec.name, spec.attempt_id), "it is gone")
    launcher.clean_up(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    assert not (launcher._root / spec.name).exists()


def test_terminate_without_grace_ends_the_whole_tree(launcher: ProcessLauncher) -> None:
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(
        lambda: _ran(launcher) and psutil.Process(pid_of(launcher, spec.name)).children(),
        "its workload runs",
    )
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    assert wait_for(lambda: launcher.is_gone(spec.name, spec.attempt_id), "it is gone")


def test_a_starter_that_holds_the_lock_is_not_gone_before_it_has_named_its_worker(
    launcher: ProcessLauncher,
) -> None:
    """The starter is about to start the worker. Released capacity would allow a second one."""
    spec = process_spec()
    during: list[bool] = []

    def still_wanted() -> bool:
        during.append(launcher.is_gone(spec.name, spec.attempt_id))
        return True

    launcher.launch(spec, still_wanted=still_wanted)
    assert during == [False]


def test_a_start_never_leaves_the_pid_of_the_one_before_it(launcher: ProcessLauncher) -> None:
    """The pid may belong to another process, which must not receive a signal before the fork."""
    spec = process_spec()
    bystander = subprocess.Popen(["sleep", "600"])
    folder = launcher._root / spec.name
    folder.mkdir()
    (folder / "pid").write_text(str(bystander.pid))
    slow = ProcessLauncher(
        launcher._root,
        installation="ours",
        argv=[sys.executable, "-c", "import time; time.sleep(600)"],
    )
    ended: list[LaunchUncertain] = []

    def start() -> None:
        with pytest.raises(LaunchUncertain) as caught:
            slow.launch(spec, still_wanted=lambda: True)
        ended.append(caught.value)

    starter = threading.Thread(target=start)
    starter.start()
    try:
        wait_for(lambda: _bearers(spec.attempt_id), "the first stage runs")
        launcher.terminate(spec.name, spec.attempt_id, grace_seconds=5)
        launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
        assert bystander.poll() is None, "somebody else's process was ended"
    finally:
        bystander.kill()
        bystander.wait()
        starter.join()
    assert len(ended) == 1


def _bearers(attempt_id: str) -> list[int]:
    return processes.bearers().get(attempt_id, [])


@pytest.mark.parametrize(
    "left",
    [["lock"], ["lock", "data/big"]],
    ids=["a starter that died early", "a clean-up killed half-way"],
)
def test_a_folder_without_a_name_is_cleaned_up(launcher: ProcessLauncher, left: list[str]) -> None:
    spec = process_spec()
    folder = launcher._root / spec.name
    for name in left:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    launcher.clean_up(spec.name, spec.attempt_id)
    assert not folder.exists()


def test_no_secret_of_ours_reaches_a_worker(
    launcher: ProcessLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    spec = process_spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(
        lambda: _ran(launcher) and psutil.Process(pid_of(launcher, spec.name)).children(),
        "its workload runs",
    )
    environment = psutil.Process(pid_of(launcher, spec.name)).environ()
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "WORKER_KEYS"} & environment.keys()


def test_nobody_is_the_parent_of_a_worker(tmp_path: Path) -> None:
    """A worker survives its starter, and the next starter finds it alive."""
    code = f"""
import sys
from pathlib import Path
from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.process_workers import WORKER, process_spec
launcher = ProcessLauncher(
    Path({str(tmp_path)!r}), installation="ours", argv=[sys.executable, "-c", WORKER]
)
launcher.launch(process_spec(), still_wanted=lambda: True)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    launcher = ProcessLauncher(tmp_path, installation="ours")
    observed = launcher.observe()[0]
    assert observed.alive
    launcher.terminate(observed.name, observed.attempt_id, grace_seconds=0)


@pytest.mark.parametrize(("count", "observed"), [(0, ""), (1, "3")])
def test_a_worker_sees_a_gpu_only_if_its_job_requests_one(
    count: int, observed: str, launcher: ProcessLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    spec = process_spec(gpu_count=count)
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    assert psutil.Process(pid_of(launcher, spec.name)).environ()["CUDA_VISIBLE_DEVICES"] == observed
