"""Real worker with a faulty orchestrator: it reports its end and never hangs."""

import hashlib
import time

import pytest

from jobs.clusters.launchers.worker_folder import spooled
from tests.worker.faulty import Start, processes_of, refuse, text_of

pytestmark = pytest.mark.timeout(90)


def test_a_success_is_reported_once_with_its_log(start: Start) -> None:
    worker = start("echo one; echo two >&2")
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["log_missing"], accepted["exit"]) == (
        "succeeded",
        "",
        {"code": 0, "signal": None},
    )
    assert (accepted["log_end"], accepted["log_sha256"]) == (
        len(worker.orchestrator.log),
        hashlib.sha256(worker.orchestrator.log).hexdigest(),
    )
    assert [event["kind"] for event in worker.orchestrator.events] == [
        "progress",
        "step.started",
        "step.succeeded",
    ]
    assert worker.exit["code"] == 0


@pytest.mark.parametrize("part", ["log", "report", "memory", "transfers"])
def test_a_crashed_thread_ends_the_attempt_and_is_reported(start: Start, part: str) -> None:
    broken = {
        "log": "from jobs.worker.shipping import LogShipper as P\nP._ship_one",
        "report": "from jobs.worker.reporting import Reporter as P\nP._beat",
        "memory": "from jobs.worker.memory_watch import MemoryWatch as P\nP.used",
        "transfers": "from jobs.worker.transfers import Transfers as P\nP._deliver",
    }[part]
    prelude = f"def broken(*_): raise KeyError('what nobody thought of')\n{broken} = broken"
    worker = start("echo one; touch outputs/x; sleep 1", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "worker_lost")
    assert (
        accepted["message"]
        == f"The worker failed, for a reason outside the job ({part}: KeyError)."
    )
    assert "what nobody thought of" in worker.console


def test_a_crashed_supervisor_kills_its_workload_and_leaves_a_report(
    start: Start,
) -> None:
    prelude = (
        "from jobs.worker.supervisor import Supervisor\n"
        "def broken(*_): raise OSError(24, 'Too many open files')\nSupervisor._obey_stop = broken"
    )
    worker = start("sleep 300", prelude=prelude)
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.orchestrator.accepted) == ("worker_lost", None)
    assert worker.exit["message"] == (
        "The worker failed, for a reason outside the job (supervisor: OSError: Too many open "
        "files)."
    )
    assert not processes_of(worker)


@pytest.mark.parametrize(("status", "code"), [(400, "invalid"), (413, "too_large"), (422, "odd")])
def test_a_report_that_is_refused_becomes_one_that_says_so(
    start: Start, status: int, code: str
) -> None:
    worker = start("echo one")
    refuse(
        worker.orchestrator, "finish", status, code, when=lambda body: body["status"] == "succeeded"
    )
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "protocol")
    assert accepted["message"] == f"The orchestrator refused the worker's report: because of {code}"


def test_a_report_that_is_always_refused_is_left_for_the_launcher(start: Start) -> None:
    worker = start("echo one")
    refuse(worker.orchestrator, "finish", 400, "invalid")
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.exit["message"]) == (
        "protocol",
        "The orchestrator refused the worker's report: because of invalid",
    )


def test_an_orchestrator_that_stays_away_leaves_end_and_log_to_the_launcher(start: Start) -> None:
    worker = start("echo one; exit 3", grace_seconds=1)
    for name in ("logs", "finish"):
        refuse(worker.orchestrator, name, 503, "away")
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.exit["message"]) == (
        "exit_code",
        "Step run failed: the command ended with exit code 3",
    )
    assert text_of(spooled(worker.folder / "spool", 0)).startswith("one\n")


def test_a_fenced_worker_stops_its_workload_and_reports_nothing(start: Start) -> None:
    worker = start("echo one; sleep 300")
    refuse(worker.orchestrator, "heartbeat", 410, "fenced")
    assert worker.end() == 3
    assert worker.orchestrator.finishes == []
    assert (worker.exit["code"], "reason" in worker.exit) == (3, False)
    assert not processes_of(worker)


_SAVES = """
import signal, sys, time
def save(*_):
    print("got term", flush=True); time.sleep(1); print("saved", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(0.1)
"""


_IGNORES = (
    'import signal, time; signal.signal(15, signal.SIG_IGN); print("ready", flush=True); '
    "time.sleep(60)"
)


@pytest.mark.parametrize(
    ("cause", "ending"),
    [("cancelled", "saves"), ("deadline_exceeded", "saves"), ("deadline_exceeded", "ignores")],
)
def test_a_cancel_and_the_time_limit_give_the_workload_the_same_grace(
    start: Start, cause: str, ending: str
) -> None:
    program = _SAVES if ending == "saves" else _IGNORES
    worker = start(
        f"exec python3 -c '{program}'", timeout_seconds=2 if cause == "deadline_exceeded" else 60
    )
    if cause == "cancelled":
        cancel = lambda _: (200, {"cancel": b"ready" in worker.orchestrator.log, "timeout_at": ""})  # noqa: E731
        worker.orchestrator.answers["heartbeat"] = cancel
    began = time.monotonic()
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["reason"] == cause
    assert accepted["status"] == ("cancelled" if cause == "cancelled" else "failed")
    if ending == "saves":
        assert text_of(worker.orchestrator.log).splitlines() == ["ready", "got term", "saved"]
    else:
        assert accepted["exit"]["signal"] == 9
        assert 5 <= time.monotonic() - began < 20
    notices = [
        event["data"]["message"]
        for event in worker.orchestrator.events
        if event["kind"] == "notice"
    ]
    assert notices == (
        []
        if cause == "cancelled"
        else ["Time limit of 2 s reached. The workload received SIGTERM and has 5 s to end."]
    )


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(410, "fenced", 3), (409, "already_claimed", 4), (401, "not_authenticated", 6)],
)
def test_a_worker_refused_at_its_claim_touches_nothing(
    start: Start, status: int, code: str, exit_code: int
) -> None:
    worker = start("echo one")
    refuse(worker.orchestrator, "claim", status, code)
    assert worker.end() == exit_code
    assert not (worker.folder / "exit.json").exists()
    assert (worker.orchestrator.log, worker.orchestrator.events, processes_of(worker)) == (
        b"",
        [],
        [],
    )


def test_a_response_of_another_server_is_requested_again(start: Start) -> None:
    worker = start("echo one")
    odd = iter([b"<html>a proxy's page</html>"])
    worker.orchestrator.answers["finish"] = lambda _body: (
        (200, page) if (page := next(odd, None)) else None
    )
    assert worker.end() == 0
    assert worker.orchestrator.accepted is not None
