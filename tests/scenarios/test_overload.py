"""Overload: bursts that exceed the CPU of a node, in virtual time.

No attempt may end because of a slow component, and the usual rate returns by itself.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest import mock
from uuid import UUID

import pytest
from django.conf import settings

from jobs.contract import JobStatus
from jobs.models import Attempt, Job, StartWindow
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.ledger import Run
from tests.scenarios.building import world
from tests.scenarios.oracle import judge
from tests.scenarios.troubles import Phase
from tests.scenarios.workers import Step, Workers
from tests.scenarios.world import Scenario, World
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
CORES, WORK_SECONDS = 2.0, 3.0  # of the node; CPU time of one start
LAUNCH_TIMEOUT = 90
UNLIMITED = 10_000


class StarvedWorkers(Workers):
    """Workers that claim after their node has given them the CPU time of a start.

    The node divides its cores among the starting workers, and loses a part to switching among many.
    While web is down, or with the probability `lost`, a claim does not arrive.
    """

    def __init__(self, run: World, *, lost: float = 0.0) -> None:
        super().__init__(run.fake, run.dice, run.workers.succeeds)
        self._run, self._lost = run, lost
        self._left: dict[UUID, float] = {}
        self._at = run.clock.now
        self.calls = 0

    def act(self, running: list[Run], held: set[UUID]) -> None:
        seconds, self._at = self._run.clock.now - self._at, self._run.clock.now
        ids = {UUID(each.attempt_id) for each in running}
        claimed = {
            each.attempt_id for each in self.by_pod.values() if each.step is not Step.STARTED
        }
        starting = {each: self._left.setdefault(each, WORK_SECONDS) for each in ids - claimed}
        useful = CORES / (1 + (sum(left > 0 for left in starting.values()) / 60) ** 2)
        for attempt_id, left in starting.items():
            busy = sum(other > 0 for other in starting.values()) or 1
            self._left[attempt_id] = left - seconds * min(1.0, useful / busy)
        waiting = {each for each in starting if self._left[each] > 0 or not self._arrives()}
        super().act(running, held | waiting)

    def _arrives(self) -> bool:
        self.calls += 1
        return self._run.web_is_up and self._run.dice.random() >= self._lost


@contextmanager
def _burst(fake: FakeKubernetes, jobs: int, *, first: int = 32) -> Iterator[World]:
    with ExitStack() as stack:
        scenarios = [Scenario(None, Phase.RUNNING) for _ in range(jobs)]
        run = stack.enter_context(world(fake, scenarios, seed=5))
        env = replace(
            settings.ENV,
            launch_timeout=LAUNCH_TIMEOUT,
            start_window=first,
            start_window_min=min(first, 4),
            start_window_max=max(first, 200),
        )
        stack.enter_context(mock.patch.object(settings, "ENV", env))
        stack.enter_context(mock.patch("jobs.liveness.uptime.GAP_SECONDS", 10.0))
        run.workers = StarvedWorkers(run)
        yield run


def _all_done(run: World, *, within_seconds: float) -> None:
    began = run.clock.now
    while Job.objects.exclude(status=JobStatus.SUCCEEDED).exists():
        run.rounds_of(1)
        assert run.clock.now - began <= within_seconds, (
            StartWindow.objects.values().get(),
            run.open()[0],
        )


def _again() -> list[str]:
    return list(Attempt.objects.filter(number__gt=1).values_list("name", flat=True))


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


def test_without_a_window_the_same_burst_collapses(fake: FakeKubernetes) -> None:
    """Control: the node of these tests is slow enough to show the effect of the window."""
    with _burst(fake, 60, first=UNLIMITED) as run:
        run.rounds_of(50)
        assert Attempt.objects.filter(reason="never_claimed").count() > 20


def test_a_burst_starts_each_worker_once(fake: FakeKubernetes) -> None:
    with _burst(fake, 60) as run:
        _all_done(run, within_seconds=1.4 * 60 * WORK_SECONDS / CORES)
        assert _again() == []
        assert len(run.fake.ledger()) == 60
        run.run()
        assert judge(run) == []


def test_a_web_that_stops_under_load_ends_no_attempt(fake: FakeKubernetes) -> None:
    with _burst(fake, 40) as run:
        run.rounds_of(5)
        run.web_is_up = False
        run.rounds_of(40)  # 80 of the 90 s in which a worker must claim
        run.web_is_up = True
        _all_done(run, within_seconds=90 + 1.4 * 40 * WORK_SECONDS / CORES)
        assert _again() == []


def test_claims_that_are_lost_end_no_attempt(fake: FakeKubernetes) -> None:
    with _burst(fake, 40) as run:
        run.workers = StarvedWorkers(run, lost=0.5)
        _all_done(run, within_seconds=2 * 40 * WORK_SECONDS / CORES)
        assert _again() == []


def test_after_ten_times_the_load_jobs_start_at_once_again(fake: FakeKubernetes) -> None:
    """The node can start two jobs in 3 s. 60 arrive at once, then one every 4 s."""
    with _burst(fake, 0) as run:
        for _ in range(3):
            for _ in range(20):
                make.job()
            run.rounds_of(1)
        _all_done(run, within_seconds=1.4 * 60 * WORK_SECONDS / CORES)
        waited = 0
        for number in range(20):
            if number % 2 == 0:
                make.job()
            run.rounds_of(1)
            waited += Job.objects.filter(status=JobStatus.QUEUED).count()
        assert waited == 0
        assert _again() == []
