"""Loop of the reconciler: an ended worker frees its slot at once, other changes share passes."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from jobs.admission.admit import admit_once
from jobs.clusters.launchers.base import Changes
from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus
from jobs.logs.append import logs_seal
from jobs.models import Attempt, Job
from jobs.reconcile import clean_up, loop
from jobs.reconcile.known_state import KnownState
from tests.support import make
from tests.support.waiting import wait_for


@contextmanager
def _following(settings: Any, reconcile_seconds: float) -> Iterator[loop.Followed]:
    """Run the thread of the default cluster, after its first complete pass."""
    settings.ENV = replace(settings.ENV, reconcile_seconds=reconcile_seconds)
    stop, leads, followed = threading.Event(), threading.Event(), loop.Followed()
    leads.set()
    cluster, launcher = cluster_ensure(), make.launcher()

    def follow() -> None:
        loop._follow(cluster.name, stop, leads, followed)
        connections.close_all()

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: followed.at, "the first complete pass")
    yield followed
    stop.set()
    with launcher._changed:
        launcher._note(launcher._ended, "")  # ends its wait
    cleaning = [each for each in threading.enumerate() if each.name == f"clean up {cluster.name}"]
    for each in (thread, *cleaning):
        each.join(timeout=30)
        assert not each.is_alive()


@pytest.fixture
def followed(settings: Any, transactional_db: None) -> Iterator[loop.Followed]:
    """A running thread of the reconciler with a complete pass only once in 60 s."""
    with _following(settings, 60.0) as followed:
        yield followed


def test_the_slot_of_an_ended_worker_is_free_without_a_complete_pass(
    followed: loop.Followed,
) -> None:
    complete = followed.at
    attempts = [make.claimed() for _ in range(2)]
    for attempt in attempts:
        make.finish(attempt)
    began = time.monotonic()
    for attempt in attempts:
        make.launcher().end(attempt.name)
    wait_for(lambda: not Attempt.objects.filter(gone_at=None).exists(), "all slots are free")
    assert time.monotonic() - began < 10
    assert followed.at == complete


def test_the_next_attempt_of_a_lost_worker_starts_without_a_complete_pass(
    followed: loop.Followed,
) -> None:
    complete = followed.at
    attempt = make.claimed()
    make.launcher().end(attempt.name, exit_code=1)
    wait_for(lambda: Attempt.objects.exclude(gone_at=None).exists(), "it is gone")
    job = Job.objects.get()
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 2)
    Job.objects.update(not_before=None)
    assert len(admit_once()) == 1
    assert followed.at == complete


@pytest.mark.django_db(transaction=True)
def test_a_slow_removal_of_a_worker_delays_no_slot(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_name: str, _attempt_id: str) -> None:
        begun.set()
        assert may_end.wait(60)

    first, second = make.claimed(), make.claimed()
    monkeypatch.setattr(make.launcher(), "clean_up", slow)
    with _following(settings, 0.05):
        _finish(first)
        logs_seal(limit=50)
        assert begun.wait(30)
        _finish(second)
        may_end.set()
        wait_for(
            lambda: Attempt.objects.exclude(cleaned_up_at=None).exists(), "the first is removed"
        )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_removal_that_ends_its_thread_does_not_end_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed: list[str] = []

    def remove(_launcher: object, row: Any) -> None:
        removed.append(row.name)
        if len(removed) == 1:
            raise SystemExit

    launcher: Any = SimpleNamespace()
    monkeypatch.setattr(clean_up, "clean_up", remove)
    thread, first, second = clean_up.CleanUpThread("local"), _row("first"), _row("second")
    thread.put(launcher, first)
    assert thread._thread is not None
    thread._thread.join(30)
    thread.put(launcher, second)
    thread.put(launcher, first)
    thread.close()
    thread._thread.join(30)
    assert removed == ["first", "second", "first"]


def _row(name: str) -> Any:
    return SimpleNamespace(id=uuid4(), name=name)


def _finish(attempt: Attempt) -> None:
    make.finish(attempt)
    make.launcher().end(attempt.name)
    wait_for(lambda: Attempt.objects.get(id=attempt.id).gone_at, "it is gone")


@dataclass
class Script:
    """Launcher whose changes come at fixed times. A pass takes `pass_seconds`."""

    changes: deque[tuple[float, Changes]]
    pass_seconds: float = 0.1
    now: float = 1000.0
    passes: list[tuple[float, list[str]]] = field(default_factory=list)

    def wait_for_changes(self, timeout_seconds: float, *, ends_only: bool = False) -> Changes:
        until, ended, names = self.now + timeout_seconds, set[str](), set[str]()
        while self.changes and 1000.0 + self.changes[0][0] <= until:
            at, found = self.changes.popleft()
            self.now = max(self.now, 1000.0 + at)
            ended |= found.ended
            names |= found.names
            if found.ended or not ends_only:
                return Changes(frozenset(ended), frozenset(names), found.others)
        self.now = until
        return Changes(frozenset(ended), frozenset(names))

    def reconcile(self, *_arguments: object, names: frozenset[str]) -> int:
        self.passes.append((round(self.now - 1000.0, 3), sorted(names)))
        self.now += self.pass_seconds
        return 0


def _names(*names: str) -> Changes:
    return Changes(names=frozenset(names))


def _ended(*names: str) -> Changes:
    return Changes(ended=frozenset(names))


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Run the loop between two complete passes in virtual time.

    The rows of the worker `waiting` need a decision without a change on the cluster.
    """

    def run(
        *changes: tuple[float, Changes],
        known: KnownState | None = None,
        pass_seconds: float = 0.1,
        seconds: float = 10.0,
    ) -> Script:
        script = Script(deque(changes))
        monkeypatch.setattr(loop, "reconcile_workers", script.reconcile)
        monkeypatch.setattr(loop, "unsettled_names", lambda cluster: {"waiting"})  # noqa: ARG005
        monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: script.now))
        cluster: Any = None
        launcher: Any = script
        loop._follow_changes(
            cluster,
            launcher,
            known or KnownState(),
            lambda: True,
            pass_seconds=pass_seconds,
            seconds=seconds,
        )
        monkeypatch.undo()
        return script

    return run


def test_a_change_that_comes_alone_has_its_pass_at_once(follow: Callable[..., Script]) -> None:
    script = follow((1.0, _names("a")), (3.0, _names("b")), (5.0, _ended("a")))
    assert script.passes == [(1.0, ["a"]), (3.0, ["b"]), (5.0, ["a"])]


def test_changes_during_the_rest_after_a_pass_share_the_next_one(
    follow: Callable[..., Script],
) -> None:
    script = follow((1.0, _names("a")), (1.05, _names("b")), (1.2, _names("c")))
    assert script.passes == [(1.0, ["a"]), (1.5, ["b", "c"])]


def test_the_end_of_a_worker_waits_for_no_rest(follow: Callable[..., Script]) -> None:
    script = follow((1.0, _names("a")), (1.15, _names("b")), (1.2, _ended("c")))
    assert script.passes == [(1.0, ["a"]), (1.2, ["c"]), (1.5, ["b"])]


def test_later_changes_of_a_gone_worker_need_no_pass(follow: Callable[..., Script]) -> None:
    known = KnownState()
    known.gone.add("a")
    assert follow((1.0, _ended("a")), (2.0, _names("a")), known=known).passes == []


def test_a_change_without_a_worker_leads_to_the_next_complete_pass(
    follow: Callable[..., Script],
) -> None:
    script = follow((2.0, Changes(others=True)))
    assert (script.passes, script.now) == ([], 1002.0)


def test_a_fast_complete_pass_is_repeated_every_second(follow: Callable[..., Script]) -> None:
    script = follow(pass_seconds=0.05, seconds=1.0)
    assert (script.passes, script.now) == ([], 1001.0)


def test_between_slow_complete_passes_only_workers_that_can_need_an_action_are_read(
    follow: Callable[..., Script],
) -> None:
    known = KnownState()
    known.unsettled.update({"failed", "gone"})
    known.gone.add("gone")
    script = follow((1.5, _ended("a")), known=known, pass_seconds=0.15, seconds=1.0)
    assert script.passes == [
        (1.0, ["failed", "waiting"]),
        (1.5, ["a"]),
        (2.0, ["failed", "waiting"]),
        (3.0, ["failed", "waiting"]),
    ]
    assert round(script.now, 3) == 1003.1


def test_complete_passes_come_at_least_every_15_seconds(follow: Callable[..., Script]) -> None:
    assert round(follow(pass_seconds=5.0, seconds=1.0).now - 1000.0) == 15
