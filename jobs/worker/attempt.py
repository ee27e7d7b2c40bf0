"""Run one attempt from its claim to its exit code, with a workload that is already started."""

import json
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import cast

from jobs.contract.protocol import ClaimRequestBody, ClaimResponse, ExitReportBody
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
from jobs.worker.launch_token import read_token
from jobs.worker.process import WorkloadProcess
from jobs.worker.stopping import Verdict, broken
from jobs.worker.supervisor import Supervisor
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

# Characters: kubelet keeps 4,096 bytes, and JSON can need six bytes for one character.
TERMINATION_MESSAGE_MAX = 600
CAUSES_MAX = 10  # causes of failed claims that are printed
CLAIM_SECONDS = 3600.0  # the launch timeout ends earlier, and the answer is then 410


def run_attempt(environment: WorkerEnvironment, workload: WorkloadProcess) -> int:
    """Claim, run and report; return the exit code."""
    token = read_token(environment.token_descriptor)
    client = Client(environment.orchestrator_url, environment.attempt_id, token)
    try:
        claim = _claim(client)
    except (Refused, Unreachable) as error:
        process_tree.kill_all()
        print(f"worker: not claimed: {error}", file=sys.stderr)
        return _refused_code(error)
    client.token = claim["session_token"]
    crash_point("worker.after_claim")
    return _supervise(environment, client, workload, claim)


def _supervise(
    environment: WorkerEnvironment, client: Client, workload: WorkloadProcess, claim: ClaimResponse
) -> int:
    """Run the supervisor; write for the launcher how the attempt ended.

    If the supervisor itself fails, no process is left running, and the reconciler reads the cause
    from the launcher.
    """
    supervisor: Supervisor | None = None
    try:
        supervisor = Supervisor(environment, client, workload, claim)
        code, verdict = supervisor.run()
    except Exception as error:
        import traceback  # slow to import, and rarely needed

        traceback.print_exc()
        process_tree.kill_all()
        code, verdict = EXIT_GAVE_UP, broken("supervisor", error)
    ended = _ended(supervisor, code, verdict)
    if environment.worker_dir is not None:
        _write_exit(environment.worker_dir, ended)
    elif environment.termination_file.exists():
        _write_termination_message(environment.termination_file, ended)
    return code


def _claim(client: Client) -> ClaimResponse:
    """Claim the attempt and return the claim.

    All retries have the same claim id, so a repeated claim counts once. Each new cause of a failure
    is printed: nothing else can report, for example, that this pod has no DNS.
    """
    body: ClaimRequestBody = {
        "claim_id": str(uuid.uuid4()),
        "hostname": socket.gethostname()[:200],
        "pid": os.getpid(),
    }
    printed: set[str] = set()

    def report(error: Unreachable) -> None:
        if str(error) not in printed and len(printed) < CAUSES_MAX:
            printed.add(str(error))
            print(
                f"worker: the orchestrator does not answer, retrying: {error}",
                file=sys.stderr,
                flush=True,
            )

    answer = client.post("claim", body, patience_seconds=CLAIM_SECONDS, on_failure=report)
    return cast("ClaimResponse", answer)


def _refused_code(error: Refused | Unreachable) -> int:
    if isinstance(error, Fenced):
        return EXIT_FENCED
    if isinstance(error, Refused):
        return EXIT_CLAIMED if error.status == 409 else EXIT_ENVIRONMENT
    return EXIT_GAVE_UP


def _ended(supervisor: Supervisor | None, code: int, verdict: Verdict) -> ExitReportBody:
    """Return how the attempt ended, for the launcher.

    The cause is included unless the exit code says that the orchestrator has accepted the report or
    fenced the attempt.
    """
    ended: ExitReportBody = {"code": code, "at": utc_now().isoformat()}
    if supervisor is not None:
        ended["peak_memory_bytes"] = supervisor.memory.peak_bytes
        ended["log_end"] = supervisor.spool.end
    if code not in (EXIT_ACCEPTED, EXIT_FENCED):
        undelivered = "The worker could not report the end: the orchestrator did not answer."
        ended["reason"] = verdict.reason or "worker_lost"
        ended["message"] = verdict.message or ("" if verdict.reason else undelivered)
        if "signal" in verdict.detail:
            ended["signal"] = verdict.detail["signal"]
    return ended


def _write_exit(folder: Path, ended: ExitReportBody) -> None:
    """Write and rename `exit.json`, with fsync unless the orchestrator has accepted the finish.

    An error such as a full disk is only printed: the orchestrator has the report already, or
    nothing can deliver it.
    """
    try:
        with (folder / "exit.new").open("w") as file:
            json.dump(ended, file)
            file.flush()
            if ended["code"] != EXIT_ACCEPTED:
                os.fsync(file.fileno())
        (folder / "exit.new").rename(folder / "exit.json")
    except OSError as error:
        print(f"worker: exit.json could not be written: {error}", file=sys.stderr)


def _write_termination_message(file: Path, ended: ExitReportBody) -> None:
    """Write the container's termination message, with the content of `exit.json`.

    Kubernetes shows it as `message` of the terminated container. The file is mounted, so it cannot
    be replaced by a rename.
    """
    if "message" in ended:
        ended = {**ended, "message": ended["message"][:TERMINATION_MESSAGE_MAX]}
    try:
        file.write_text(json.dumps(ended, ensure_ascii=False))
    except OSError as error:
        print(f"worker: {file} could not be written: {error}", file=sys.stderr)
