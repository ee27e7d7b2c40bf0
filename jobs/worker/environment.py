"""Environment of a worker. Server settings are not read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

EXIT_ACCEPTED, EXIT_FENCED, EXIT_CLAIMED, EXIT_GAVE_UP, EXIT_ENVIRONMENT = 0, 3, 4, 5, 6
# 128 + SIGTERM, as in a shell. With exit code 0, a stopped container would count as completed.
EXIT_STOPPED = 143
# Launchers find the processes of an attempt by these, so /proc shows them before other variables.
SHOWN_FIRST = ("ATTEMPT_ID", "JOB_ID", "HOME", "WORKER_DIR")
# Folders in a container, and the file from which Kubernetes reads the termination message.
DATA_DIR, MODELS_DIR, TERMINATION_FILE = "/app/data", "/app/models", "/dev/termination-log"


class BadWorkerEnvironment(Exception):
    """Variables are missing or invalid; the message names all missing ones."""


class WorkerEnvironment(NamedTuple):
    """Environment of a worker.

    `token_descriptor`: a pipe with the launch token. Only the process launcher sets `worker_dir`
    and `lock_descriptor`; without them the worker has its own container. Kubernetes reads
    `termination_file`. Not a dataclass: the import would delay the workload's start.
    """

    job_id: str
    job_type: str
    attempt_id: str
    token_descriptor: int
    orchestrator_url: str
    data_dir: Path
    models_dir: Path
    worker_dir: Path | None = None
    lock_descriptor: int | None = None
    termination_file: Path = Path(TERMINATION_FILE)
    passed_on: Mapping[str, str] = {}  # variables that user code can read


_NEEDED = ("JOB_ID", "JOB_TYPE", "ATTEMPT_ID", "JOB_TOKEN", "ORCHESTRATOR_URL")
# Descriptor of the socket for requests. The process launcher sets it for its fork server
# (`fork_server`), which has none of the variables above.
REQUESTS_VARIABLE = "WORKER_REQUESTS_FD"
_PASSED_ON: tuple[str, ...] = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "REDIS_URL",
    "PYTHONPATH",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_VISIBLE_DEVICES",
)
_PASSED_ON += ("SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONDONTWRITEBYTECODE", "MIMIR_CRASH_POINTS")


def read(token_descriptor: int | None) -> WorkerEnvironment:
    """Read the environment; `token_descriptor`: the pipe with JOB_TOKEN, None if it is not set.

    Raises: BadWorkerEnvironment.
    """
    source = os.environ
    missing = [
        name
        for name in _NEEDED
        if (token_descriptor is None if name == "JOB_TOKEN" else not source.get(name))
    ]
    if token_descriptor is None or missing:
        raise BadWorkerEnvironment(
            f"not set: {', '.join(missing)}. The launcher of a worker sets them "
            "(docs/reference/worker-protocol.md)"
        )
    if not source["ORCHESTRATOR_URL"].startswith(("http://", "https://")):
        raise BadWorkerEnvironment("ORCHESTRATOR_URL must start with http:// or https://")
    lock = source.get("WORKER_LOCK_FD")
    return WorkerEnvironment(
        job_id=source["JOB_ID"],
        job_type=source["JOB_TYPE"],
        attempt_id=source["ATTEMPT_ID"],
        token_descriptor=token_descriptor,
        orchestrator_url=source["ORCHESTRATOR_URL"],
        data_dir=Path(source.get("MIMIR_DATA_DIR", DATA_DIR)),
        models_dir=Path(source.get("MIMIR_MODELS_DIR", MODELS_DIR)),
        worker_dir=Path(source["WORKER_DIR"]) if source.get("WORKER_DIR") else None,
        lock_descriptor=int(lock) if lock else None,
        termination_file=Path(source.get("MIMIR_TERMINATION_FILE", TERMINATION_FILE)),
        passed_on={name: source[name] for name in _PASSED_ON if name in source},
    )
