"""Cost of one job without work in each process. None of the counts may increase.

Each statement is a round trip to PostgreSQL, each commit a write to its disk, and each message work
for Redis and its receivers.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_ensure, launcher_of
from jobs.contract import EventKind
from jobs.core import feed, queue
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.claim import attempt_claim
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.report import events_record
from jobs.lifecycle.values import WorkerEvent
from jobs.models import Attempt, Cluster
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.once import reconcile_workers
from mimir.lib.clock import utc_now
from tests.support import make
from tests.support.costs import Cost, counted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages to Redis: the operation of each hint, and the group of each live update."""
    messages: list[str] = []

    def hint(_priority: str, operation: Any, _arguments: object) -> None:
        messages.append(operation.value)

    def live(hints: Any) -> None:
        messages.extend(group.partition(".")[0] for group, _job in hints)

    monkeypatch.setattr(queue, "_send", hint)
    monkeypatch.setattr(feed, "_put", live)
    return messages


def _cost(act: Callable[[], object]) -> Cost:
    with counted() as cost:
        act()
    return cost


def _assert_at_most(cost: Cost, *, statements: int, commits: int) -> None:
    assert cost.statements <= statements, cost.sql
    assert cost.commits <= commits


def test_admission_and_launch(sent: list[str]) -> None:
    cluster_ensure()
    make.job()
    sent.clear()
    admission = _cost(lambda: admit_once(hint=False))
    ids = list(Attempt.objects.values_list("id", flat=True))
    launch = _cost(lambda: attempts_launch(ids))
    # The first statement is a read outside the transaction.
    _assert_at_most(admission, statements=10, commits=2)
    _assert_at_most(launch, statements=5, commits=4)
    assert sorted(sent) == ["project", "project"]


def test_a_wake_without_a_waiting_job(sent: list[str]) -> None:
    make.claimed()
    sent.clear()
    admission = _cost(admit_once)
    _assert_at_most(admission, statements=1, commits=1)
    assert sent == []


def test_the_end_of_a_worker_without_a_waiting_job(sent: list[str]) -> None:
    cost = _end_of_a_worker(sent)
    _assert_at_most(cost, statements=5, commits=3)
    assert sent == ["project"]


def test_the_end_of_a_worker_with_waiting_jobs(sent: list[str]) -> None:
    make.project()
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=1)
    cost = _end_of_a_worker(sent, waiting=2)
    _assert_at_most(cost, statements=5, commits=3)
    assert sorted(sent) == ["project", "wake"]


def _end_of_a_worker(sent: list[str], waiting: int = 0) -> Cost:
    """Return the cost of the pass that finds the worker of a finished job gone."""
    attempt = make.claimed()
    make.finish(attempt)
    make.launcher().end(attempt.name)
    for _ in range(waiting):
        make.job()
    cluster, known = cluster_ensure(), KnownState()
    launcher = launcher_of(cluster)
    sent.clear()
    end = _cost(lambda: reconcile_workers(cluster, launcher, known, names={attempt.name}))
    assert Attempt.objects.get().gone_at is not None
    return end


def test_the_requests_of_a_worker(sent: list[str]) -> None:
    """Claim, report two events and progress, and finish without an output."""
    attempt = make.launched()
    sent.clear()
    claim = _cost(lambda: attempt_claim(attempt_id=attempt.id, claim_id=uuid4(), host="node"))
    at = utc_now()
    progress = WorkerEvent(n=1, at=at, kind=EventKind.PROGRESS, data={"fraction": 0.5})
    notice = WorkerEvent(n=2, at=at, kind=EventKind.NOTICE, data={"message": "half"})
    report = _cost(lambda: events_record(attempt_id=attempt.id, events=[progress, notice]))
    finished = make.report(attempt)
    finish = _cost(lambda: attempt_finish(attempt_id=attempt.id, report=finished))
    _assert_at_most(claim, statements=7, commits=3)
    _assert_at_most(report, statements=3, commits=1)
    _assert_at_most(finish, statements=10, commits=3)
    assert sorted(sent) == ["job", "project", "project", "project"]


def test_a_finish_wakes_no_dispatcher(sent: list[str]) -> None:
    """The worker still holds its capacity until it is gone."""
    attempt = make.claimed()
    sent.clear()
    make.finish(attempt)
    assert "wake" not in sent
