"""Process launcher: one worker per name, alive by its lock, gone when no process is left."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from jobs.clusters.launchers import processes
from jobs.clusters.launchers.base import LaunchRefused, LaunchSpec, LaunchUncertain
from jobs.clusters.launchers.process import ProcessLauncher
from tests.support.waiting import wait_for

# Stand-in for the supervisor: records its start, forks like the real one, starts a workload and
# waits. It records the start before the fork, because a launch returns after it and a second start
# must not be missed.
_WORKER = """
import os, subprocess, sys, time
folder = os.environ["WORKER_DIR"]
with open(folder + "/../ran", "a") as ran:
    ran.write(os.environ["ATTEMPT_ID"] + chr(10))
child = os.fork()
if child:
    open(folder + "/pid", "w").write(str(child))
    os._exit(0)
os.set_inheritable(int(os.environ["WORKER_LOCK_FD"]), False)
workload = subprocess.Popen(["sleep", "600"])
time.sleep(600)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[ProcessLauncher]:
    launcher_created = ProcessLauncher(
        tmp_path / "workers", installation="ours", argv=[sys.executable, "-c", _WORKER]
    )
    yield launcher_created
    for observed in launcher_created.observe():
        launcher_created.terminate(observed.name, observed.attempt_id, grace_seconds=0)


def _spec(name: str = "worker-job-x-1", attempt_id: str = "", gpu_count: int = 0) -> LaunchSpec:
    return LaunchSpec(
        name=name,
        job_id="x",
        job_type="pipeline_execution",
        attempt_id=attempt_id or str(uuid4()),
        attempt=1,
        project_id="p",
        token="secret-token",
        orchestrator_url="http://127.0.0.1:1",
        cpu_millicores=1000,
        memory_bytes=2**30,
        gpu_count=gpu_count,
        priority="normal",
        active_deadline_seconds=60,
    )


def _ran(launcher: ProcessLauncher) -> list[str]:
    path = launcher._root / "ran"
    return path.read_text().splitlines() if path.exists() else []


def _pid(launcher: ProcessLauncher, name: str) -> int:
    return int((launcher._root / name / "pid").read_text())


def test_a_second_launch_adopts_the_worker_that_is_there(launcher: ProcessLauncher) -> None:
    spec = _spec()
    first = launcher.launch(spec, still_wanted=lambda: True)
    second = launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    assert (first.adopted, second.adopted, second.uid) == (False, True, first.uid)
    assert _ran(launcher) == [spec.attempt_id]


def test_many_launches_at_once_start_one_worker(launcher: ProcessLauncher) -> None:
    spec = _spec()
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
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    folder = launcher._root / spec.name
    (folder / "exit.json").write_text(json.dumps({"code": 0}))
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    again = launcher.launch(spec, still_wanted=lambda: True)
    assert again.adopted
    assert _ran(launcher) == [spec.attempt_id]


def test_a_name_of_another_attempt_is_refused(launcher: ProcessLauncher) -> None:
    launcher.launch(_spec(), still_wanted=lambda: True)
    with pytest.raises(LaunchRefused):
        launcher.launch(_spec(), still_wanted=lambda: True)


def test_a_worker_of_another_installation_is_ignored(
    launcher: ProcessLauncher,
) -> None:
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    other = ProcessLauncher(launcher._root, installation="theirs")
    assert other.observe() == []
    with pytest.raises(LaunchRefused):
        other.launch(spec, still_wanted=lambda: True)
    other.clean_up(spec.name, spec.attempt_id)
    assert [observed.alive for observed in launcher.observe()] == [True]


def test_what_is_not_wanted_any_more_is_not_started(launcher: ProcessLauncher) -> None:
    with pytest.raises(LaunchRefused):
        launcher.launch(_spec(), still_wanted=lambda: False)
    assert (launcher.observe(), _ran(launcher)) == ([], [])


def test_a_supervisor_that_is_killed_is_dead_but_not_gone_while_its_workload_lives(
    launcher: ProcessLauncher,
) -> None:
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher) and launcher.observe()[0].alive, "it is alive")
    wait_for(lambda: psutil.Process(_pid(launcher, spec.name)).children(), "its workload runs")
    os.kill(_pid(launcher, spec.name), signal.SIGKILL)
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
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(
        lambda: _ran(launcher) and psutil.Process(_pid(launcher, spec.name)).children(),
        "its workload runs",
    )
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    assert wait_for(lambda: launcher.is_gone(spec.name, spec.attempt_id), "it is gone")


def test_a_starter_that_holds_the_lock_is_not_gone_before_it_has_named_its_worker(
    launcher: ProcessLauncher,
) -> None:
    """The starter is about to start the worker: released capacity would allow a second one."""
    spec = _spec()
    during: list[bool] = []

    def still_wanted() -> bool:
        during.append(launcher.is_gone(spec.name, spec.attempt_id))
        return True

    launcher.launch(spec, still_wanted=still_wanted)
    assert during == [False]


def test_a_start_never_leaves_the_pid_of_the_one_before_it(launcher: ProcessLauncher) -> None:
    """The pid may belong to another process: between lock and fork no signal may be sent to it."""
    spec = _spec()
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
    spec = _spec()
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
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(
        lambda: _ran(launcher) and psutil.Process(_pid(launcher, spec.name)).children(),
        "its workload runs",
    )
    environment = psutil.Process(_pid(launcher, spec.name)).environ()
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "WORKER_KEYS"} & environment.keys()


def test_a_change_is_noticed_without_waiting_for_the_next_poll(launcher: ProcessLauncher) -> None:
    spec = _spec()
    launcher.launch(spec, still_wanted=lambda: True)
    threading.Timer(
        0.2, lambda: launcher.terminate(spec.name, spec.attempt_id, grace_seconds=0)
    ).start()
    assert launcher.wait_for_change(20) is True


def test_nobody_is_the_parent_of_a_worker(tmp_path: Path) -> None:
    """A worker survives its starter, and the next starter finds it alive."""
    code = f"""
import sys
from pathlib import Path
from jobs.clusters.launchers.process import ProcessLauncher
from tests.launchers.test_process import _WORKER, _spec
ProcessLauncher(Path({str(tmp_path)!r}), installation="ours", argv=[sys.executable, "-c", _WORKER]).launch(_spec(), still_wanted=lambda: True)
"""  # noqa: E501
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
    spec = _spec(gpu_count=count)
    launcher.launch(spec, still_wanted=lambda: True)
    wait_for(lambda: _ran(launcher), "it runs")
    assert psutil.Process(_pid(launcher, spec.name)).environ()["CUDA_VISIBLE_DEVICES"] == observed
