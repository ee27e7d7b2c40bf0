"""The last events of an attempt are sent with its finish, and stored once despite failures."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.worker.faulty import Start, refuse

pytestmark = pytest.mark.timeout(90)
KINDS = ["progress", "step.started", "step.succeeded"]


def _kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


def test_the_events_of_a_short_job_need_no_request_of_their_own(start: Start) -> None:
    worker = start("true")
    assert worker.end() == 0
    (finish,) = worker.orchestrator.finishes
    assert _kinds(finish["events"])[-1] == KINDS[-1]
    assert _kinds(worker.orchestrator.events) == KINDS


def test_a_finish_whose_response_is_lost_sends_the_same_events_again(start: Start) -> None:
    worker = start("true")
    lost: Iterator[tuple[int, Any]] = iter([(503, {})])
    worker.orchestrator.answers["finish"] = lambda _body: next(lost, None)
    assert worker.end() == 0
    (finish,) = worker.orchestrator.finishes
    assert _kinds(finish["events"])[-1] == KINDS[-1]
    assert _kinds(worker.orchestrator.events) == KINDS


def test_a_finish_that_is_refused_for_its_events_is_sent_without_them(start: Start) -> None:
    worker = start("true")
    refuse(worker.orchestrator, "finish", 413, "too_large", when=lambda body: "events" in body)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], "events" in accepted) == ("succeeded", False)
    assert _kinds(worker.orchestrator.events) == KINDS


@pytest.mark.parametrize("claimed", ["of an older release", "of this release"])
def test_an_older_orchestrator_gets_the_events_before_the_finish(
    start: Start, claimed: str
) -> None:
    """During an update, either release can receive each request."""
    worker = start("true")
    if claimed == "of an older release":
        del worker.orchestrator.claim["finish_takes_events"]
    known: list[int] = []
    unknown: list[Any] = []

    def not_found(body: Any) -> tuple[int, Any]:
        unknown.append(body)
        return 404, {}

    worker.orchestrator.answers["finish-with-events"] = not_found
    worker.orchestrator.answers["finish"] = lambda _body: known.append(
        len(worker.orchestrator.events)
    )
    assert worker.end() == 0
    assert known == [len(KINDS)]
    assert _kinds(worker.orchestrator.events) == KINDS
    assert "events" not in worker.orchestrator.finishes[0]
    assert len(unknown) == (claimed == "of this release")


def test_many_events_are_sent_before_the_finish(start: Start) -> None:
    prelude = (
        "from jobs.contract import EventKind\n"
        "from jobs.worker.delivery import Delivery as D\n"
        "real = D.run\n"
        "def run(self, *arguments, **named):\n"
        "    for number in range(500):\n"
        "        self._reporter.add(EventKind.NOTICE, {'message': str(number)})\n"
        "    return real(self, *arguments, **named)\n"
        "D.run = run\n"
    )
    worker = start("true", prelude=prelude)
    assert worker.end() == 0
    notices = [
        event["data"]["message"]
        for event in worker.orchestrator.events
        if event["kind"] == "notice"
    ]
    assert notices == [str(number) for number in range(500)]
    assert len(worker.orchestrator.finishes[0].get("events", [])) <= 20
