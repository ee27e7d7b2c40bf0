"""Workers of the process launcher for tests: a fake supervisor that only sleeps."""

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from jobs.clusters.launchers.base import LaunchSpec
from jobs.clusters.launchers.process import ProcessLauncher

# Stand-in for the supervisor: records its start, forks like the real one, starts a workload and
# waits. It records the start before the fork, because a launch returns after it and a second start
# must not be missed.
WORKER = """
import os, subprocess, sys, time
folder = os.environ["WORKER_DIR"]
with open(folder + "/../ran", "a") as ran:
    ran.write(os.environ["ATTEMPT_ID"] + chr(10))
child = os.fork()
if child:
    open(folder + "/pid", "w").write(str(child))
    os._exit(0)
os.set_inheritable(int(os.environ["WORKER_LOCK_FD"]), False)
if os.environ.get("HOLDS_TWICE") and os.fork():
    time.sleep(600)  # the parent, which is watched; the child holds the lock too
workload = subprocess.Popen(["sleep", "600"])
time.sleep(600)
"""


def launcher_in(folder: Path) -> Iterator[ProcessLauncher]:
    """Yield a launcher with its workers in `folder`; end them afterwards."""
    launcher = ProcessLauncher(
        folder / "workers", installation="ours", argv=[sys.executable, "-c", WORKER]
    )
    yield launcher
    for observed in launcher.observe():
        launcher.terminate(observed.name, observed.attempt_id, grace_seconds=0)
    launcher.close()


def process_spec(
    name: str = "worker-job-x-1",
    attempt_id: str = "",
    gpu_count: int = 0,
    *,
    holds_twice: bool = False,
) -> LaunchSpec:
    """Return a worker to launch. `holds_twice`: two of its processes hold the lock."""
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
        extra_env={"HOLDS_TWICE": "1"} if holds_twice else {},
    )


def pid_of(launcher: ProcessLauncher, name: str) -> int:
    """Return the pid of the worker's first process."""
    return int((launcher._root / name / "pid").read_text())
