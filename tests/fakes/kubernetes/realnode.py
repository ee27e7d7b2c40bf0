"""Node that runs containers: each one that the ledger shows as running is a local worker process.

The fake must use the real time (`real_time=True`). The output of a container is written to the log
of its pod, and its termination message to the status of the pod. When the ledger shows the end of
the container, its remaining processes are killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.ledger import Run
from tests.fakes.kubernetes.scripts import Act

ROOT = Path(__file__).parents[3]
ARGV = (sys.executable, "-S", "-m", "jobs.worker")
PAUSE_SECONDS = 0.05


class Container:
    """Process of one worker."""

    def __init__(self, fake: FakeKubernetes, run: Run, folder: Path) -> None:
        self.run, self._fake, self.printed = run, fake, b""
        self.last_word = folder / "termination-log"
        for name in ("data", "models", "tmp"):
            (folder / name).mkdir(parents=True)
        self.last_word.touch()
        environment = {
            **run.env,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / "data"),
            "TMPDIR": str(folder / "tmp"),
            "MIMIR_DATA_DIR": str(folder / "data"),
            "MIMIR_MODELS_DIR": str(folder / "models"),
            "MIMIR_TERMINATION_FILE": str(self.last_word),
        }
        self.process = subprocess.Popen(
            ARGV,
            cwd=folder / "data",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        """Copy the output into the pod's log, then the exit into the pod's status."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed += line
            with contextlib.suppress(OSError, RuntimeError):
                self._fake.append_log(self.run.pod, line)
        code = self.process.wait()
        with contextlib.suppress(OSError, RuntimeError):
            self._fake.act(
                self.run.pod,
                Act.EXIT,
                exit_code=code if code >= 0 else 128 - code,
                message=self.last_word.read_text(),
            )

    def kill(self) -> None:
        """Send SIGKILL to the process group, as the kubelet does at the end of a container."""
        with contextlib.suppress(psutil.Error):
            whole = [
                psutil.Process(self.process.pid),
                *psutil.Process(self.process.pid).children(recursive=True),
            ]
            for each in whole:
                with contextlib.suppress(psutil.Error):
                    each.send_signal(signal.SIGKILL)


class RealNode:
    """Runs the containers that the ledger shows; `containers` has them by pod uid."""

    def __init__(self, fake: FakeKubernetes, folder: Path) -> None:
        self._fake, self._folder = fake, folder
        self.containers: dict[str, Container] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            with contextlib.suppress(OSError, RuntimeError):
                running = {run.pod_uid: run for run in self._fake.ledger(running=True, env=True)}
                for uid, run in running.items():
                    if uid not in self.containers:
                        self.containers[uid] = Container(self._fake, run, self._folder / run.pod)
                for uid, container in self.containers.items():
                    if uid not in running and container.process.poll() is None:
                        container.kill()

    def of(self, job_id: str, attempt: int = 1) -> Container | None:
        """Return the container of an attempt, or None before it starts."""
        name = f"worker-job-{job_id}-{attempt}"
        return next((each for each in list(self.containers.values()) if each.run.job == name), None)

    def close(self) -> None:
        """Kill all containers."""
        self._stop.set()
        self._thread.join(10)
        for container in self.containers.values():
            container.kill()
            container.process.wait(10)


@contextlib.contextmanager
def real_node(fake: FakeKubernetes) -> Iterator[RealNode]:
    """Run a node for `fake` until the block ends."""
    with tempfile.TemporaryDirectory(prefix="real-node-", ignore_cleanup_errors=True) as folder:
        node = RealNode(fake, Path(folder))
        try:
            yield node
        finally:
            node.close()
