"""Rate of live hints: the first of a job at once, the others at most once in JOB_SECONDS."""

from types import SimpleNamespace

import pytest

from jobs.core import feed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the time of the sender, which advances only by the test."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(feed, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(feed._Sender, "_run", lambda _self: None)
    return clock


def _due(sender: feed._Sender) -> dict[str, list[str]]:
    return {group: list(jobs) for group, jobs in sender._due().items()}


def test_a_burst_of_one_job_is_two_messages(clock: SimpleNamespace) -> None:
    sender, sent = feed._Sender(), []
    for _ in range(10):
        sender.put([("project.p", "a")])
        sent.append(_due(sender))
        clock.now += 0.009
    clock.now += 0.02
    sent.append(_due(sender))
    assert [each for each in sent if each] == [{"project.p": ["a"]}] * 2
    assert (sent[0], sent[-1]) == ({"project.p": ["a"]}, {"project.p": ["a"]})


def test_a_held_hint_delays_no_other_job_and_no_other_group(clock: SimpleNamespace) -> None:
    sender = feed._Sender()
    sender.put([("project.p", "a")])
    assert _due(sender) == {"project.p": ["a"]}
    clock.now += 0.01
    sender.put([("project.p", "a"), ("project.p", "b"), ("job.a", "a")])
    assert _due(sender) == {"project.p": ["b"], "job.a": ["a"]}
    assert sender._pause_seconds() == pytest.approx(feed.JOB_SECONDS - 0.01)
    clock.now += feed.JOB_SECONDS
    assert sender._pause_seconds() == 0
    assert _due(sender) == {"project.p": ["a"]}
    assert sender._pause_seconds() is None
