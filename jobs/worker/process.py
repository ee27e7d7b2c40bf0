"""Workload process: a fresh interpreter that waits for its job, started during the claim.

Its environment is built from scratch: user code gets no token and no address of the orchestrator.
Its streams are separate pipes.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from jobs.worker.channel import DESCRIPTOR_VARIABLE, Channel
from jobs.worker.environment import BadWorkerEnvironment, WorkerEnvironment


class WorkloadProcess(NamedTuple):
    """Started interpreter: process, our end of its channel, read ends of its stdout and stderr."""

    process: subprocess.Popen[bytes]
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
    """Start the interpreter in the scratch folder."""
    ours, theirs = socket.socketpair()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.worker.workload"],
            cwd=environment.data_dir,
            env=_environment(environment, theirs.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=out_write,
            stderr=err_write,
            pass_fds=(theirs.fileno(),),
        )
    finally:
        theirs.close()
        os.close(out_write)
        os.close(err_write)
    return WorkloadProcess(process, Channel(ours), out_read, err_read)


def _temporary(environment: WorkerEnvironment) -> Path:
    return environment.data_dir / "tmp"


def _environment(environment: WorkerEnvironment, channel: int) -> dict[str, str]:
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
        DESCRIPTOR_VARIABLE: str(channel),
    }
