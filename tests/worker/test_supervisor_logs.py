"""Logs of a real worker: limits, a full disk, refusals, and repeated chunks."""

import pytest

from tests.worker.faulty import Start, refuse, text_of

pytestmark = pytest.mark.timeout(90)


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
    refuse(worker.orchestrator, "logs", status, code)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"], accepted["message"]) == ("failed", reason, says)
    assert (accepted["log_end"], accepted["log_missing"]) == (0, says)


def test_a_log_limit_that_the_orchestrator_sees_after_the_work_is_done_fails_it_too(
    start: Start,
) -> None:
    worker = start("echo one")
    refuse(worker.orchestrator, "logs", 413, "log_limit_exceeded")
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], accepted["reason"]) == ("failed", "log_limit_exceeded")


def test_a_log_that_the_orchestrator_lost_is_sent_again_from_there(start: Start) -> None:
    """The orchestrator accepted the first line and then lost it, as after a restore of a backup."""
    worker = start("echo one; sleep 1; echo two")
    lost: list[bytes] = []

    def lose(body: bytes) -> None:
        if b"two" in body and not lost:
            lost.append(worker.orchestrator.log)
            worker.orchestrator.log = b""

    worker.orchestrator.answers["logs"] = lose
    assert worker.end() == 0
    assert lost
    assert text_of(worker.orchestrator.log) == "one\ntwo\n"


def test_a_full_disk_is_reported_and_the_log_is_marked_as_cut(start: Start) -> None:
    prelude = (
        "import jobs.worker.spool as s\nreal = s.Spool._write\n"
        "def full(self, data):\n    if b'three' in data: raise OSError(28, 'No space left on "
        "device')\n    real(self, data)\ns.Spool._write = full"
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
    assert text_of(worker.orchestrator.log) == "one\n"


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
    assert text_of(worker.orchestrator.log) == "".join(
        f"{number}\n" for number in range(1, worker.orchestrator.log.count(b"\n") + 1)
    )
