"""A node that really runs containers: for each one the ledger shows as running, the worker itself,
as a process of this machine.

The fake keeps time by itself (`real_time=True`). What a container prints goes into its pod's log,
its last word into the pod's status; when the ledger says that it has ended, whatever is left of it
is killed.
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
    """One worker's process."""

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
        """Its lines into the pod's log, then its end into the pod's status."""
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
        """SIGKILL to all of it, as the kubelet ends a container's processes."""
        with contextlib.suppress(psutil.Error):
            whole = [
                psutil.Process(self.process.pid),
                *psutil.Process(self.process.pid).children(recursive=True),
            ]
            for each in whole:
                with contextlib.suppress(psutil.Error):
                    each.send_signal(signal.SIGKILL)


class RealNode:
    """Runs what the ledger shows; `containers` by pod uid."""

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
        """The container of one attempt, once there is one."""
        name = f"worker-job-{job_id}-{attempt}"
        return next((each for each in list(self.containers.values()) if each.run.job == name), None)

    def close(self) -> None:
        """Kill everything."""
        self._stop.set()
        self._thread.join(10)
        for container in self.containers.values():
            container.kill()
            container.process.wait(10)


@contextlib.contextmanager
def real_node(fake: FakeKubernetes) -> Iterator[RealNode]:
    """A node for `fake` until the block ends."""
    with tempfile.TemporaryDirectory(prefix="real-node-", ignore_cleanup_errors=True) as folder:
        node = RealNode(fake, Path(folder))
        try:
            yield node
        finally:
            node.close()
