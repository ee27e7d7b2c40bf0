"""Error report of a worker that cannot reach the orchestrator, and detection of wrong clocks."""

import datetime as dt
import email.utils
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.contract import EventKind
from jobs.diagnosis.kubernetes import never_claimed
from jobs.worker import attempt
from jobs.worker.client import Client, Unreachable
from jobs.worker.supervisor import Supervisor


def test_a_pod_without_dns_prints_each_cause_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(attempt, "CLAIM_SECONDS", 1.0)
    with pytest.raises(Unreachable):
        attempt._claim(Client("http://orchestrator.mimir.invalid:8080", "a", "token"))
    printed = capsys.readouterr().err
    assert printed.count("does not answer") == 1
    message = never_claimed(printed)
    assert "DNS does not work in its pod" in message.summary
    assert "CoreDNS" in message.detail


def test_other_causes_are_quoted_and_none_is_invented() -> None:
    message = never_claimed(
        "worker: the orchestrator does not answer, retrying: ConnectionRefusedError: [Errno 111] "
        "Connection refused\n"
    )
    assert "Connection refused" in message.summary
    assert "DNS" not in message.summary
    assert never_claimed().summary == "Its container runs, but has not called the orchestrator."


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(3 * 86400, "72 h ahead of"), (-3 * 86400, "72 h behind"), (5, ""), (-30, "")],
)
def test_a_clock_that_is_far_off_is_reported(seconds: int, says: str) -> None:
    client = Client("http://127.0.0.1:1", "a", "token")
    client._compare_clocks(
        email.utils.format_datetime(
            dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds + (1 if seconds > 0 else -1))
        )
    )
    events: list[tuple[EventKind, dict[str, Any]]] = []
    reporter = SimpleNamespace(add=lambda kind, data: events.append((kind, data)))
    Supervisor._report_clock(SimpleNamespace(_client=client, _reporter=reporter))  # type: ignore[arg-type]
    assert bool(events) == bool(says)
    for kind, data in events:
        assert kind == EventKind.NOTICE
        assert says in data["message"]


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026"])
def test_an_answer_without_a_readable_date_says_nothing_of_the_clock(date: str | None) -> None:
    client = Client("http://127.0.0.1:1", "a", "token")
    client._compare_clocks(date)
    assert client.clock_ahead_seconds == 0.0
