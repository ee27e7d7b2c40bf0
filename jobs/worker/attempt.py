"""One attempt from its claim to its exit code, with a workload that waits for its job."""

import json
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

from jobs.worker import process_tree
from jobs.worker.client import Client, Fenced, Refused, Unreachable
from jobs.worker.environment import (
    EXIT_ACCEPTED,
    EXIT_CLAIMED,
    EXIT_ENVIRONMENT,
    EXIT_FENCED,
    EXIT_GAVE_UP,
    WorkerEnvironment,
)
from jobs.worker.process import WorkloadProcess
from jobs.worker.stopping import Verdict, broken
from jobs.worker.supervisor import Supervisor
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

TERMINATION_MESSAGE_MAX = (
    600  # characters: kubelet keeps 4,096 bytes, and JSON may need six for one
)
CAUSES_MAX = 10  # of failed claims that are printed
CLAIM_SECONDS = 3600.0  # the orchestrator's own launch time limit comes first, and answers 410 then


def run_attempt(environment: WorkerEnvironment, workload: WorkloadProcess) -> int:
    """Claim, run, report; the exit code."""
    client = Client(environment.orchestrator_url, environment.attempt_id, environment.job_token)
    try:
        claim = _claim(client)
    except (Refused, Unreachable) as error:
        process_tree.kill_all()
        print(f"worker: not claimed: {error}", file=sys.stderr)
        return _refused_code(error)
    client.token = str(claim["session_token"])
    crash_point("worker.after_claim")
    return _supervise(environment, client, workload, claim)


def _supervise(
    environment: WorkerEnvironment, client: Client, workload: WorkloadProcess, claim: dict[str, Any]
) -> int:
    """A supervisor that fails itself leaves nothing running, and its word with its launcher, whose reconciler tells it on."""
    supervisor: Supervisor | None = None
    try:
        supervisor = Supervisor(environment, client, workload, claim)
        code, verdict = supervisor.run()
    except Exception as error:
        import traceback  # takes a while: only where it is needed

        traceback.print_exc()
        process_tree.kill_all()
        code, verdict = EXIT_GAVE_UP, broken("supervisor", error)
    ended = _ended(supervisor, code, verdict)
    if environment.worker_dir is not None:
        _leave_exit(environment.worker_dir, ended)
    elif environment.termination_file.exists():
        _leave_message(environment.termination_file, ended)
    return code


def _claim(client: Client) -> dict[str, Any]:
    """Drawn once: the same claim may be sent many times, and only ever counts once.

    Each new cause that keeps it from the orchestrator is printed: nobody else can say that this pod has no DNS.
    """
    body = {
        "claim_id": str(uuid.uuid4()),
        "hostname": socket.gethostname()[:200],
        "pid": os.getpid(),
    }
    printed: set[str] = set()

    def report(error: Unreachable) -> None:
        if str(error) not in printed and len(printed) < CAUSES_MAX:
            printed.add(str(error))
            print(
                f"worker: the orchestrator does not answer, trying again: {error}",
                file=sys.stderr,
                flush=True,
            )

    return client.post("claim", body, patience_seconds=CLAIM_SECONDS, on_failure=report)


def _refused_code(error: Refused | Unreachable) -> int:
    if isinstance(error, Fenced):
        return EXIT_FENCED
    if isinstance(error, Refused):
        return EXIT_CLAIMED if error.status == 409 else EXIT_ENVIRONMENT
    return EXIT_GAVE_UP


def _ended(supervisor: Supervisor | None, code: int, verdict: Verdict) -> dict[str, Any]:
    """How it ended, for the launcher; with the cause where the orchestrator could not be told it."""
    ended: dict[str, Any] = {"code": code, "at": utc_now().isoformat()}
    if supervisor is not None:
        ended |= {
            "peak_memory_bytes": supervisor.memory.peak_bytes,
            "log_end": supervisor.spool.end,
        }
    if code not in (EXIT_ACCEPTED, EXIT_FENCED):
        undelivered = "Its worker could not deliver its end: the orchestrator did not answer."
        ended |= {
            "reason": verdict.reason or "worker_lost",
            "message": verdict.message or ("" if verdict.reason else undelivered),
        }
        ended |= {"signal": verdict.detail["signal"]} if "signal" in verdict.detail else {}
    return ended


def _leave_exit(folder: Path, ended: dict[str, Any]) -> None:
    """Written, fsynced, renamed. On a full disk the orchestrator has been told already, or nobody can be."""
    try:
        with (folder / "exit.new").open("w") as file:
            json.dump(ended, file)
            file.flush()
            os.fsync(file.fileno())
        (folder / "exit.new").rename(folder / "exit.json")
    except OSError as error:
        print(f"worker: exit.json could not be written: {error}", file=sys.stderr)


def _leave_message(file: Path, ended: dict[str, Any]) -> None:
    """The same as the container's last word: on Kubernetes it is the `message` of the container's end. The file is mounted: no rename."""
    if "message" in ended:
        ended = {**ended, "message": ended["message"][:TERMINATION_MESSAGE_MAX]}
    try:
        file.write_text(json.dumps(ended, ensure_ascii=False))
    except OSError as error:
        print(f"worker: {file} could not be written: {error}", file=sys.stderr)
