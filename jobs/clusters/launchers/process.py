"""Workers as processes of this machine, detached from their starter. For laptops and trusted users.

Processes are not isolated from each other. Each worker has a folder (`worker_folder`).

The supervisor's stdout is discarded. On Kubernetes it is the pod log, from which the log of a
dead supervisor is read; here `spool/` serves that purpose, and a second copy of every log on disk
would have no use.
"""

import contextlib
import datetime as dt
import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import psutil

from jobs.clusters.launchers import processes, worker_folder
from jobs.clusters.launchers.base import (
    Changes,
    Launched,
    LaunchLater,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    Observation,
)
from jobs.clusters.launchers.fork_server import ForkServer, WorkerStart
from jobs.clusters.launchers.interpreter_start import start_interpreter
from jobs.clusters.launchers.worker_folder import WorkerIdentity
from jobs.clusters.launchers.worker_watch import WorkerWatch
from jobs.diagnosis.kubernetes import not_stored_yet
from mimir.lib.crash import crash_point
from mimir.lib.disks import FULL, READ_ONLY, unwritable

SOURCE_DIR = Path(__file__).resolve().parents[3]
# Without site-packages: the supervisor needs the standard library only, and starts in half the
# time.
WORKER_ARGV = (sys.executable, "-S", "-m", "jobs.worker")
DISK_RETRY_SECONDS = 5.0  # before a launch is retried after the disk was full
GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "MIMIR_CRASH_POINTS", "SSL_CERT_FILE", "SSL_CERT_DIR")


class ProcessLauncher:
    """Launcher of a machine that runs its own workers. See `base.Launcher` for the methods."""

    def __init__(
        self, workers_dir: Path, *, installation: str, argv: Sequence[str] = WORKER_ARGV
    ) -> None:
        self._root = workers_dir
        self._installation = installation
        self._argv = list(argv)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._watch = WorkerWatch(self._root, self._is_own)
        # Only for the real worker: the program that a test runs instead serves no requests.
        self._fork_server = (
            ForkServer(argv, _common(), SOURCE_DIR) if tuple(argv) == WORKER_ARGV else None
        )

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:
        try:
            return self._launch(spec, still_wanted)
        except LaunchRefused:
            raise
        except (OSError, LaunchUncertain) as error:
            problem = error if isinstance(error, OSError) else unwritable(self._root)
            if problem is None or problem.errno not in FULL | READ_ONLY:
                raise
            diagnosis = not_stored_yet(str(problem)).body()
            raise LaunchLater(
                f"the worker's folder cannot be written: {problem}",
                seconds=DISK_RETRY_SECONDS,
                diagnosis=diagnosis,
            ) from error

    def _launch(self, spec: LaunchSpec, still_wanted: Callable[[], bool]) -> Launched:
        folder = self._root / spec.name
        folder.mkdir(exist_ok=True, mode=0o700)
        self._refuse_other(folder, spec)
        crash_point("launch.before_lock")
        with worker_folder.lock(folder) as descriptor:
            if descriptor is None:
                return Launched(self._uid_of_living(folder), adopted=True)
            return self._start(folder, spec, descriptor, still_wanted)

    def _start(
        self, folder: Path, spec: LaunchSpec, descriptor: int, still_wanted: Callable[[], bool]
    ) -> Launched:
        """Start the worker, or adopt it if it has ended already. The caller holds its lock.

        While the lock is held, no other starter can start this worker. The row and the folder are
        read again under the lock.
        """
        self._refuse_other(folder, spec)
        identity = worker_folder.read_identity(folder)
        if (folder / "exit.json").exists():
            return Launched(identity["uid"] if identity else "", adopted=True)
        if not still_wanted():
            if identity is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise LaunchRefused("This attempt is no longer needed.")
        adopted = identity is not None
        if identity is None:
            identity = {
                "attempt_id": spec.attempt_id,
                "uid": str(uuid4()),
                "installation": self._installation,
                "name": spec.name,
                "created_at": dt.datetime.now(dt.UTC).isoformat(),
            }
            worker_folder.write_json(folder / "worker.json", identity)
        crash_point("launch.between_lock_and_fork")
        self._spawn(folder, spec, descriptor)
        return Launched(identity["uid"], adopted=adopted)

    def _spawn(self, folder: Path, spec: LaunchSpec, descriptor: int) -> None:
        """Start the worker's first process. The worker keeps the locked descriptor.

        It is a fork of the fork server, or of an interpreter of its own if the server cannot be
        used.
        """
        (folder / "data").mkdir(exist_ok=True, mode=0o700)
        # The pid of an earlier start may belong to another process now.
        (folder / "pid").unlink(missing_ok=True)
        (folder / worker_folder.EMPTY).unlink(missing_ok=True)
        with (folder / "console.log").open("ab") as console:
            wanted = WorkerStart(
                folder / "data",
                self._environment(folder, spec),
                spec.token,
                lock=descriptor,
                console=console.fileno(),
            )
            pid = self._fork_server.start(wanted) if self._fork_server is not None else None
            if pid is None:
                start_interpreter(self._argv, wanted, folder / "console.log")
            else:
                crash_point("launch.after_spawn")
                worker_folder.write_pid(folder, pid)

    def _environment(self, folder: Path, spec: LaunchSpec) -> dict[str, str]:
        """Return the environment of a worker without its token, built from an allowlist.

        It contains no database address, no Redis address and no secret of the orchestrator.
        """
        data = folder / "data"
        return {
            **_common(),
            **spec.extra_env,
            **_gpus(spec.gpu_count),
            "HOME": str(data),
            "PYTHONDONTWRITEBYTECODE": "1",  # user code runs beside it; the fork server writes .pyc
            "JOB_ID": spec.job_id,
            "JOB_TYPE": spec.job_type,
            "ATTEMPT_ID": spec.attempt_id,
            "ORCHESTRATOR_URL": spec.orchestrator_url,
            "MIMIR_DATA_DIR": str(data),
            "MIMIR_MODELS_DIR": str(self._root / ".models" / spec.project_id),
            "WORKER_DIR": str(folder),
        }

    def observe(self, names: Collection[str] | None = None) -> list[Observation]:
        found, dead = [], []
        for folder, identity in self._folders(names):
            if worker_folder.is_locked(folder):
                found.append(worker_folder.observe_alive(folder, identity))
            elif worker_folder.is_empty(folder):
                found.append(worker_folder.observe_dead(folder, identity, left=0))
            else:
                dead.append((folder, identity))
        if dead:
            left = processes.bearers()
            for folder, identity in dead:
                pids = [
                    pid
                    for pid in left.get(identity["attempt_id"], [])
                    if not processes.is_zombie(pid)
                ]
                found.append(worker_folder.observe_dead(folder, identity, len(pids)))
        return found

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:
        folder = self._own_folder(name, attempt_id)
        pid = (
            worker_folder.first_process(folder)
            if folder is not None and worker_folder.is_locked(folder)
            else None
        )
        if pid is not None and grace_seconds > 0:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).send_signal(signal.SIGTERM)
            return
        if pid is not None:
            processes.kill_tree(pid)
        processes.kill_bearers(attempt_id)

    def is_gone(self, name: str, attempt_id: str) -> bool:
        folder = self._own_folder(name, attempt_id) or self._unnamed_folder(name)
        if folder is not None and worker_folder.is_locked(folder):
            return False
        # After the check of the lock: a fenced attempt whose lock is free is not started again.
        if folder is not None and worker_folder.is_empty(folder):
            return True
        return not any(
            not processes.is_zombie(pid) for pid in processes.bearers().get(attempt_id, [])
        )

    def tail(
        self,
        name: str,
        attempt_id: str,
        *,
        after: bytes,  # noqa: ARG002 - offsets are known here
        offset: int,
    ) -> Iterator[bytes]:
        folder = self._own_folder(name, attempt_id)
        while folder is not None and (piece := worker_folder.spooled(folder / "spool", offset)):
            yield piece
            offset += len(piece)

    def evidence(self, name: str) -> None:
        return None

    def clean_up(self, name: str, attempt_id: str) -> None:
        folder = self._own_folder(name, attempt_id) or self._unnamed_folder(name)
        if folder is None or not self.is_gone(name, attempt_id):
            return
        with worker_folder.lock(folder) as descriptor:
            if descriptor is not None:
                worker_folder.remove(folder)

    def prepare(self) -> None:
        """Start the fork server."""
        if self._fork_server is not None:
            self._fork_server.prepare()

    def close(self) -> None:
        """End the fork server, and close the descriptors of the processes that are watched."""
        self._watch.close()
        if self._fork_server is not None:
            self._fork_server.close()

    def wait_for_changes(
        self,
        timeout_seconds: float,
        *,
        ends_only: bool = False,  # noqa: ARG002 - only ends are reported
    ) -> Changes:
        return Changes(ended=self._watch.wait(timeout_seconds))

    def _folders(
        self, names: Collection[str] | None = None
    ) -> Iterator[tuple[Path, WorkerIdentity]]:
        """Yield the folders of this installation's workers, with the content of their worker.json.

        `names`: only these. A folder without worker.json has no worker: its starter died, or is
        about to write the file.
        """
        if names is None:
            names = [
                entry.name
                for entry in os.scandir(self._root)
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
        for name in names:
            folder = self._root / name
            identity = worker_folder.read_identity(folder)
            if (
                identity is not None
                and identity["attempt_id"]
                and identity["installation"] == self._installation
            ):
                yield folder, identity

    def _is_own(self, folder: Path) -> bool | None:
        """Return whether a folder has a worker of this installation; None without worker.json."""
        identity = worker_folder.read_identity(folder)
        return None if identity is None else identity["installation"] == self._installation

    def _own_folder(self, name: str, attempt_id: str) -> Path | None:
        folder = self._root / name
        identity = worker_folder.read_identity(folder)
        own = (
            identity is not None
            and identity["installation"] == self._installation
            and identity["attempt_id"] == attempt_id
        )
        return folder if own else None

    def _unnamed_folder(self, name: str) -> Path | None:
        """Return the worker's folder if it has no worker.json, else None.

        Its starter is about to write the file or died before that, or a clean-up was killed.
        """
        folder = self._root / name
        return folder if folder.is_dir() and not (folder / "worker.json").exists() else None

    def _refuse_other(self, folder: Path, spec: LaunchSpec) -> None:
        identity = worker_folder.read_identity(folder)
        if identity is not None and (identity["attempt_id"], identity["installation"]) != (
            spec.attempt_id,
            self._installation,
        ):
            raise LaunchRefused(
                f"A worker named {spec.name} of another attempt or installation "
                f"exists: an administrator must remove {folder}."
            )

    def _uid_of_living(self, folder: Path) -> str:
        """Return the uid of a worker whose lock is held.

        Its starter writes the uid before it starts any process.
        Raises: LaunchUncertain before the uid is written.
        """
        identity = worker_folder.read_identity(folder)
        if identity is None or not identity["uid"]:
            raise LaunchUncertain("another starter is creating this worker")
        return identity["uid"]


def _common() -> dict[str, str]:
    """Return the variables of workers and of the fork server that do not depend on the job."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": str(SOURCE_DIR)}


def _gpus(count: int) -> dict[str, str]:
    """Return the GPU variables of a worker's environment.

    Without a requested GPU the worker sees none. Otherwise it sees all GPUs of this process,
    which are not divided between workers.
    """
    return (
        {name: os.environ[name] for name in GPU_VARIABLES if name in os.environ}
        if count
        else dict.fromkeys(GPU_VARIABLES, "")
    )
