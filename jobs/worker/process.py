"""Workload process. It is started before the claim and waits for its job.

Its environment is built from scratch: user code gets no token and no address of the orchestrator.
Its streams are separate pipes.
"""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from jobs.worker.channel import DESCRIPTOR_VARIABLE, Channel
from jobs.worker.environment import BadWorkerEnvironment, WorkerEnvironment
from jobs.worker.forked_workload import Streams, fork_workload

# Job types whose modules import in milliseconds: a fork of the supervisor runs them. The others
# spend seconds on imports; a fresh interpreter makes no difference to them.
FORKED_TYPES = frozenset({"pipeline_execution"})


class ChildProcess(Protocol):
    """Child process: part of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    @property
    def returncode(self) -> int:
        """Exit code of the ended process, negative for a signal."""
        ...

    def poll(self) -> int | None:
        """Reap the process if it has ended; return its exit code."""
        ...


class WorkloadProcess(NamedTuple):
    """Started workload: process, our end of its channel, read ends of its stdout and stderr."""

    process: ChildProcess
    channel: Channel
    stdout: int
    stderr: int


def make_scratch(environment: WorkerEnvironment) -> None:
    """Create the folders that the workload starts in.

    Raises: BadWorkerEnvironment if they cannot be written.
    """
    try:
        _temporary(environment).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        wanted = "mount a volume there that the worker's user can write to"
        raise BadWorkerEnvironment(
            f"the scratch folder {environment.data_dir} cannot be used ({error.strerror}): {wanted}"
        ) from error


def start_workload(environment: WorkerEnvironment) -> WorkloadProcess:
    """Start the workload in the scratch folder.

    Call it before this process has a thread or the token, because it can fork.
    """
    ours, theirs = socket.socketpair()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        streams = Streams(theirs.fileno(), out_write, err_write)
        variables = _environment(environment)
        process: ChildProcess
        if environment.job_type in FORKED_TYPES:
            process = fork_workload(variables, environment.data_dir, streams)
        else:
            process = _start_interpreter(variables, environment.data_dir, streams)
    finally:
        theirs.close()
        os.close(out_write)
        os.close(err_write)
    return WorkloadProcess(process, Channel(ours), out_read, err_read)


def _start_interpreter(
    variables: Mapping[str, str], folder: Path, streams: Streams
) -> ChildProcess:
    import subprocess  # slow to import, and not needed for a fork

    return subprocess.Popen(
        [sys.executable, "-m", "jobs.worker.workload"],
        cwd=folder,
        env={**variables, DESCRIPTOR_VARIABLE: str(streams.channel)},
        stdin=subprocess.DEVNULL,
        stdout=streams.stdout,
        stderr=streams.stderr,
        pass_fds=(streams.channel,),
    )


def _temporary(environment: WorkerEnvironment) -> Path:
    return environment.data_dir / "tmp"


def _environment(environment: WorkerEnvironment) -> dict[str, str]:
    return {
        **environment.passed_on,
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent),
        "HOME": str(environment.data_dir),
        "TMPDIR": str(_temporary(environment)),
        "JOB_ID": environment.job_id,
        "JOB_TYPE": environment.job_type,
        "ATTEMPT_ID": environment.attempt_id,
        "MIMIR_DATA_DIR": str(environment.data_dir),
        "MIMIR_MODELS_DIR": str(environment.models_dir),
    }
