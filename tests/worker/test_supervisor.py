"""Real worker against a faulty orchestrator: its end is reported, and it never hangs."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.clusters.launchers.process import SOURCE_DIR
from jobs.clusters.launchers.worker_folder import spooled
from tests.support.orchestrator import Orchestrator

pytestmark = pytest.mark.timeout(90)
Start = Callable[..., "Worker"]


@dataclass
class Worker:
    """A worker's process and the orchestrator it talks to."""

    orchestrator: Orchestrator
    folder: Path
    process: subprocess.Popen[bytes]

    def end(self) -> int:
        """Its exit code."""
        return self.process.wait(60)

    @property
    def exit(self) -> dict[str, Any]:
        """Return its exit report for the launcher."""
        found: dict[str, Any] = json.loads((self.folder / "exit.json").read_text())
        return found

    @property
    def console(self) -> str:
        """Its own stderr."""
        return (self.folder / "console.log").read_text()


def _steps(script: str) -> list[dict[str, Any]]:
    return [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", script]}}]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Worker] = []

    def begin(
        script: str = "echo one", *, prelude: str = "", table: bytes = b"", **limits: int
    ) -> Worker:
        """`prelude`: Python that runs in the supervisor before it begins, to break a part of it; `table`: a CSV that a step reads first."""
        read = [{"id": "numbers", "uses": "read", "with": {"dataset": "numbers"}}] if table else []
        orchestrator = Orchestrator([*read, *_steps(script)], **limits)
        if table:
            facts = {
                "name": "numbers",
                "kind": "dataset",
                "dataset": "numbers",
                "version": 1,
                "format": "csv",
                "row_count": None,
            }
            orchestrator.claim["inputs"].append(
                {**facts, "schema": [{"name": "n", "type": "BIGINT"}]}
            )
            orchestrator.inputs["numbers"] = table
        argv = [
            sys.executable,
            "-c",
            f"import sys\n{prelude}\nfrom jobs.worker.__main__ import main\nsys.exit(main())",
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE_DIR),
            "JOB_ID": "j",
            "JOB_TYPE": "pipeline_execution",
            "ATTEMPT_ID": f"attempt-{tmp_path.name}",
            "JOB_TOKEN": "launch",
            "ORCHESTRATOR_URL": orchestrator.url,
            "MIMIR_DATA_DIR": str(tmp_path / "data"),
            "WORKER_DIR": str(tmp_path),
        }
        with (tmp_path / "console.log").open("wb") as console:
            process = subprocess.Popen(
                argv, env=environment, stdout=subprocess.DEVNULL, stderr=console
            )
        started.append(Worker(orchestrator, tmp_path, process))
        return started[-1]

    yield begin
    for worker in started:
        worker.process.kill()
        worker.process.wait()
        worker.orchestrator.close()


def _refusing(
    orchestrator: Orchestrator,
    name: str,
    status: int,
    code: str,
    *,
    when: Callable[[Any], bool] = lambda _body: True,
) -> None:
    answer = status, {"code": code, "message": f"because of {code}", "detail": {}}
    orchestrator.answers[name] = lambda body: answer if when(body) else None


def _text(log: bytes) -> str:
    return "".join(line.split(" ", 3)[3] + "\n" for line in log.decode().splitlines())


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


@pytest.mark.parametrize(
    ("status", "code", "reason", "says"),
    [
        (413, "log_limit_exceeded", "log_limit_exceeded", "because of log_limit_exceeded"),
        (400, "invalid", "protocol", "The orchestrator refused the log: because of invalid"),
    ],
)
def test_a_refused_log_ends_the_workload_and_is_reported(
    start: Start, status: int, code: str, reason: str, says: str
) -> None:
    worker = start("echo one; sleep 300")
    _refusing(worker.orchestrator, "logs", status, code)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"], accepted["message"]) == ("failed", reason, says)
    assert (accepted["log_end"], accepted["log_missing"]) == (0, says)


def test_a_log_limit_that_the_orchestrator_sees_after_the_work_is_done_fails_it_too(
    start: Start,
) -> None:
    worker = start("echo one")
    _refusing(worker.orchestrator, "logs", 413, "log_limit_exceeded")
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "log_limit_exceeded")


def test_a_log_that_the_orchestrator_lost_is_sent_again_from_there(start: Start) -> None:
    """It had accepted the first line, then stood there without it, as after a restore."""
    worker = start("echo one; sleep 1; echo two")
    lost: list[bytes] = []

    def lose(body: bytes) -> None:
        if b"two" in body and not lost:
            lost.append(worker.orchestrator.log)
            worker.orchestrator.log = b""

    worker.orchestrator.answers["logs"] = lose
    assert worker.end() == 0
    assert lost
    assert _text(worker.orchestrator.log) == "one\ntwo\n"


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


def test_a_supervisor_that_breaks_itself_kills_its_workload_and_leaves_its_word(
    start: Start,
) -> None:
    prelude = (
        "from jobs.worker.supervisor import Supervisor\n"
        "def broken(*_): raise OSError(24, 'Too many open files')\nSupervisor._obey_stop = broken"
    )
    worker = start("sleep 300", prelude=prelude)
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.orchestrator.accepted) == ("worker_lost", None)
    assert (
        worker.exit["message"]
        == "The worker failed, for a reason outside the job (supervisor: OSError: Too many open files)."
    )
    assert not _of(worker)


def _of(worker: Worker) -> list[str]:
    from jobs.clusters.launchers.processes import bearers

    return [str(pid) for pid in bearers().get(f"attempt-{worker.folder.name}", [])]


def test_a_full_disk_is_reported_and_the_log_is_marked_as_cut(start: Start) -> None:
    prelude = (
        "import jobs.worker.spool as s\nreal = s.Spool._write\n"
        "def full(self, data):\n    if b'three' in data: raise OSError(28, 'No space left on device')\n    real(self, data)\ns.Spool._write = full"
    )
    worker = start("echo one; sleep 0.5; echo three; sleep 300", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["reason"], accepted["message"]) == (
        "disk_full",
        "The log could not be stored: No space left on device.",
    )
    assert accepted["log_missing"] == accepted["message"]
    assert _text(worker.orchestrator.log) == "one\n"


def test_a_log_over_its_limit_is_cut_at_a_line_and_reported(start: Start) -> None:
    worker = start("seq 100000; sleep 300", log_bytes=10_000)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["reason"], accepted["log_missing"]) == (
        "log_limit_exceeded",
        accepted["message"],
    )
    assert "10000 bytes" in accepted["message"]
    assert len(worker.orchestrator.log) <= 10_000
    assert _text(worker.orchestrator.log) == "".join(
        f"{number}\n" for number in range(1, worker.orchestrator.log.count(b"\n") + 1)
    )


@pytest.mark.parametrize(("status", "code"), [(400, "invalid"), (413, "too_large"), (422, "odd")])
def test_a_report_that_is_refused_becomes_one_that_says_so(
    start: Start, status: int, code: str
) -> None:
    worker = start("echo one")
    _refusing(
        worker.orchestrator, "finish", status, code, when=lambda body: body["status"] == "succeeded"
    )
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "protocol")
    assert accepted["message"] == f"The orchestrator refused the worker's report: because of {code}"


def test_a_report_that_is_always_refused_is_left_for_the_launcher(start: Start) -> None:
    worker = start("echo one")
    _refusing(worker.orchestrator, "finish", 400, "invalid")
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.exit["message"]) == (
        "protocol",
        "The orchestrator refused the worker's report: because of invalid",
    )


def test_an_orchestrator_that_stays_away_leaves_end_and_log_to_the_launcher(start: Start) -> None:
    worker = start("echo one; exit 3", grace_seconds=1)
    for name in ("logs", "finish"):
        _refusing(worker.orchestrator, name, 503, "away")
    assert worker.end() == 5
    assert (worker.exit["reason"], worker.exit["message"]) == (
        "exit_code",
        "Step run failed: the command ended with exit code 3",
    )
    assert _text(spooled(worker.folder / "spool", 0)).startswith("one\n")


def test_a_fenced_worker_stops_its_workload_and_reports_nothing(start: Start) -> None:
    worker = start("echo one; sleep 300")
    _refusing(worker.orchestrator, "heartbeat", 410, "fenced")
    assert worker.end() == 3
    assert worker.orchestrator.finishes == []
    assert (worker.exit["code"], "reason" in worker.exit) == (3, False)
    assert not _of(worker)


_SAVES = """
import signal, sys, time
def save(*_):
    print("got term", flush=True); time.sleep(1); print("saved", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(0.1)
"""


_IGNORES = 'import signal, time; signal.signal(15, signal.SIG_IGN); print("ready", flush=True); time.sleep(60)'


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
        assert _text(worker.orchestrator.log).splitlines() == ["ready", "got term", "saved"]
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
    _refusing(worker.orchestrator, "claim", status, code)
    assert worker.end() == exit_code
    assert not (worker.folder / "exit.json").exists()
    assert (worker.orchestrator.log, worker.orchestrator.events, _of(worker)) == (b"", [], [])


def test_a_response_of_another_server_is_requested_again(start: Start) -> None:
    worker = start("echo one")
    odd = iter([b"<html>a proxy's page</html>"])
    worker.orchestrator.answers["finish"] = lambda _body: (
        (200, page) if (page := next(odd, None)) else None
    )
    assert worker.end() == 0
    assert worker.orchestrator.accepted is not None


def test_names_that_json_cannot_hold_do_not_fail_a_report(start: Start) -> None:
    """A file called by bytes that are no UTF-8."""
    worker = start(
        r"printf x > outputs/$(printf 'a\377b'); mkfifo outputs/pipe; ln -s /etc/passwd outputs/link"
    )
    assert worker.end() == 0
    assert worker.orchestrator.artifacts == {"a_b": b"x"}
    assert "outputs/pipe is not a regular file" in _text(worker.orchestrator.log)
    assert "outputs/link is not a regular file" in _text(worker.orchestrator.log)


def test_a_file_that_claims_any_size_is_refused_before_it_is_read(start: Start) -> None:
    worker = start("truncate -s 100G outputs/sparse")
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["reason"] == "artifact_limit_exceeded"
    assert worker.orchestrator.artifacts == {}


def test_an_input_that_breaks_off_is_fetched_again_and_never_taken_for_whole(start: Start) -> None:
    table = b"n\n" + b"".join(b"%d\n" % number for number in range(1000))
    worker = start("true", table=table, prelude="import time; time.sleep(0.5)")
    worker.orchestrator.cuts = 2
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["status"] == "succeeded", accepted["message"]
    assert worker.orchestrator.cuts == 0
    assert [step["rows"] for step in accepted["result"]["steps"]] == [1000, None]


def test_a_disk_too_small_for_an_input_is_reported_at_once(start: Start) -> None:
    prelude = (
        "import io\nfrom pathlib import Path\nreal = Path.open\n"
        "class Full(io.BytesIO):\n    def write(self, data): raise OSError(28, 'No space left on device')\n"
        "def opened(self, *rest, **named): return Full() if self.parent.name == 'fetched' else real(self, *rest, **named)\nPath.open = opened"
    )
    worker = start("true", table=b"n\n1\n", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["reason"] == "disk_full"
    assert "No space left on device" in accepted["message"]


def test_a_file_that_shrinks_while_it_is_delivered_fails_its_step_and_hangs_nobody(
    start: Start,
) -> None:
    """An orphaned process continues to write."""
    prelude = (
        "import os, jobs.worker.transfers as t\nreal = t._digest\n"
        "def digest(file):\n    found = real(file)\n    os.truncate(f'/proc/self/fd/{file.fileno()}', 10)\n    return found\nt._digest = digest"
    )
    worker = start("head -c 100000 /dev/zero > outputs/x", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (
        accepted["reason"],
        "the file became shorter during the upload" in accepted["message"],
    ) == (
        "workload_failed",
        True,
    )


def test_a_link_put_in_the_place_of_a_file_gives_nothing_of_the_supervisors_away(
    start: Start,
) -> None:
    """Between the look and the delivery: a folder becomes a link to what is not the job's."""
    prelude = (
        "import os, shutil\nfrom jobs.worker.transfers import Transfers\nreal = Transfers._deliver\n"
        "def swapped(self, call):\n    folder = os.path.dirname(call['artifact'])\n    shutil.rmtree(folder)\n"
        "    os.symlink('/etc', folder)\n    return real(self, call)\nTransfers._deliver = swapped"
    )
    worker = start("mkdir outputs/a; echo x > outputs/a/passwd", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], "no longer a file of this job" in accepted["message"]) == (
        "failed",
        True,
    )
    assert worker.orchestrator.artifacts == {}


def test_names_of_tables_in_a_claim_may_be_as_long_as_they_are(start: Start) -> None:
    """A claim of more than a message of user code may have: wide tables."""
    worker = start("true", table=b"n\n1\n", prelude="import time; time.sleep(0.5)")
    schema = [{"name": "x" * 200, "type": "BIGINT"}] * 8000
    worker.orchestrator.claim["inputs"].append(
        {
            "name": "wide",
            "kind": "dataset",
            "dataset": "w",
            "version": 1,
            "format": "csv",
            "schema": schema,
        }
    )
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["status"] == "succeeded", accepted["message"]
