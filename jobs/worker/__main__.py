"""`python -m jobs.worker`: claims the attempt that its environment names, runs it, reports, exits. Exit codes: docs/worker-protocol.md.

Started by the process launcher it first forks itself off, so that nobody is its parent, and keeps the lock it inherited.
"""

import json
import os
import socket
import sys
import uuid
from typing import Any

from jobs.worker import environment as _environment
from jobs.worker import family
from jobs.worker.client import Client, Fenced, Refused, Unreachable
from jobs.worker.environment import BadWorkerEnvironment, WorkerEnvironment
from jobs.worker.process import start_workload
from jobs.worker.stopping import Verdict
from jobs.worker.supervisor import (
    EXIT_ACCEPTED,
    EXIT_CLAIMED,
    EXIT_ENVIRONMENT,
    EXIT_FENCED,
    EXIT_GAVE_UP,
    Supervisor,
)
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

CLAIM_SECONDS = 3600.0  # the orchestrator's own launch time limit comes first, and answers 410 then


def main() -> int:
    """One attempt; the exit code."""
    try:
        environment = _environment.read()
    except BadWorkerEnvironment as error:
        print(f"worker: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    if environment.lock_descriptor is not None:
        _fork_off(environment)
    family.become_supervisor()
    crash_point("worker.before_claim")
    return _attempt(environment)


def _fork_off(environment: WorkerEnvironment) -> None:
    """The child goes on, in the session its starter made; the parent leaves its pid where `terminate` finds it, and ends."""
    assert environment.lock_descriptor is not None
    assert environment.worker_dir is not None
    os.set_inheritable(environment.lock_descriptor, False)
    child = os.fork()
    if child:
        temporary = environment.worker_dir / "pid.new"
        temporary.write_text(str(child))
        temporary.rename(environment.worker_dir / "pid")
        os._exit(0)


def _attempt(environment: WorkerEnvironment) -> int:
    client = Client(environment.orchestrator_url, environment.attempt_id, environment.job_token)
    workload = start_workload(environment)
    try:
        claim = _claim(client)
    except (Refused, Unreachable) as error:
        family.kill_all()
        print(f"worker: not claimed: {error}", file=sys.stderr)
        return _refused_code(error)
    client.token = str(claim["session_token"])
    crash_point("worker.after_claim")
    supervisor = Supervisor(environment, client, workload, claim)
    code, verdict = supervisor.run()
    if environment.worker_dir is not None:
        _leave_exit(environment, supervisor, code, verdict)
    return code


def _claim(client: Client) -> dict[str, Any]:
    """Drawn once: the same claim may be sent many times, and only ever counts once."""
    body = {"claim_id": str(uuid.uuid4()), "hostname": socket.gethostname()[:200], "pid": os.getpid()}
    return client.post("claim", body, patience_seconds=CLAIM_SECONDS)


def _refused_code(error: Refused | Unreachable) -> int:
    if isinstance(error, Fenced):
        return EXIT_FENCED
    if isinstance(error, Refused):
        return EXIT_CLAIMED if error.status == 409 else EXIT_ENVIRONMENT
    return EXIT_GAVE_UP


def _leave_exit(environment: WorkerEnvironment, supervisor: Supervisor, code: int, verdict: Verdict) -> None:
    """How it ended, for the launcher: written, fsynced, renamed."""
    assert environment.worker_dir is not None
    ended: dict[str, Any] = {
        "code": code,
        "peak_memory_bytes": supervisor.memory.peak_bytes,
        "log_end": supervisor.spool.end,
        "at": utc_now().isoformat(),
    }
    if code not in (EXIT_ACCEPTED, EXIT_FENCED):
        message = verdict.message or "Its worker could not deliver its end: the orchestrator did not answer."
        ended |= {"reason": verdict.reason or "worker_lost", "message": message}
    temporary = environment.worker_dir / "exit.new"
    with temporary.open("w") as file:
        json.dump(ended, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(environment.worker_dir / "exit.json")


if __name__ == "__main__":
    sys.exit(main())
