"""Start window in admission: its decision, storage and explanation, and the wake-up by a claim."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from unittest import mock

import pytest
from django.conf import settings

from jobs.admission.admit import admit_once
from jobs.admission.decide import admit
from jobs.admission.snapshot import snapshot
from jobs.admission.snapshot_types import ClusterCapacity
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import FailureReason, WaitRule
from jobs.core import queue
from jobs.diagnosis.kubernetes import not_called_yet
from jobs.dispatch.launch import attempts_launch
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, StartWindow
from jobs.reconcile.apply import wait_record
from mimir.lib.clock import utc_now
from tests.jobs.admission_examples import allocation, job, names, snap
from tests.support import make

SMALL = ClusterCapacity(
    "local", jobs=10, cpu_millicores=None, memory_bytes=None, gpus=0, start_window=2
)
OTHER = dataclasses.replace(SMALL, cluster="other")


def test_no_more_start_at_once_than_the_window_allows() -> None:
    waiting = [job(number) for number in range(1, 6)]
    decision = admit(snap(*waiting, capacities=(SMALL,)))
    assert names(decision.admitted) == [1, 2]
    check = decision.blocked[waiting[2].job_id]
    assert check.rule is WaitRule.CLUSTER_STARTING
    assert check.facts == {"cluster": "local", "starting": 2, "start_window": 2}


def test_workers_that_have_claimed_do_not_count() -> None:
    running = tuple(allocation(number) for number in range(4))
    starting = (allocation(5, is_starting=True),)
    decision = admit(snap(job(1), job(2), capacities=(SMALL,), allocations=running + starting))
    assert names(decision.admitted) == [1]


def test_another_cluster_whose_window_has_space_is_used() -> None:
    starting = tuple(allocation(number, is_starting=True) for number in range(2))
    decision = admit(snap(job(1), capacities=(SMALL, OTHER), allocations=starting))
    assert [cluster for _job, cluster in decision.admitted] == ["other"]


def test_a_full_window_reserves_nothing_for_a_job_that_waits_for_it() -> None:
    """The cluster has free capacity, so the next job that fits the window starts."""
    starting = tuple(allocation(number, is_starting=True) for number in range(2))
    old = job(1, cluster="local", queued_at=-1000.0)
    decision = admit(snap(old, job(2), capacities=(SMALL, OTHER), allocations=starting))
    assert [cluster for _job, cluster in decision.admitted] == ["other"]
    assert decision.blocked[old.job_id].rule is WaitRule.CLUSTER_STARTING


def test_a_full_cluster_is_reported_as_full_and_not_as_starting() -> None:
    held = tuple(allocation(number, is_starting=number < 2) for number in range(10))
    decision = admit(snap(job(1), capacities=(SMALL,), allocations=held))
    assert next(iter(decision.blocked.values())).rule is WaitRule.CAPACITY


@pytest.fixture
def window() -> Iterator[None]:
    """An installation with a window of two workers."""
    env = dataclasses.replace(
        settings.ENV, start_window=2, start_window_min=1, start_window_max=8, capacity_jobs=20
    )
    with mock.patch.object(settings, "ENV", env):
        make.project()
        cluster_ensure()
        Cluster.objects.update(capacity_jobs=20, capacity_cpu_millicores=0, capacity_memory_bytes=0)
        yield


pytestmark = pytest.mark.django_db(transaction=True)


def _launch() -> list[Attempt]:
    attempts_launch(admit_once(hint=False))
    return list(Attempt.objects.order_by("created_at", "id"))


@pytest.mark.usefixtures("window")
class TestStored:
    def test_a_burst_starts_as_workers_claim(self) -> None:
        jobs = [make.job() for _ in range(6)]
        assert len(_launch()) == 2
        assert len(_launch()) == 2, "nobody has claimed"
        make.claim(Attempt.objects.earliest("created_at"))
        assert len(_launch()) == 4, "one place, and a quick start makes the window larger by one"
        assert StartWindow.objects.get().size == 3
        assert len(jobs) == 6

    def test_a_waiting_job_says_how_many_are_starting(self) -> None:
        beat_record(component="dispatcher")
        jobs = [make.job() for _ in range(3)]
        _launch()
        waiting = job_waiting([jobs[2]])[jobs[2].id]
        assert waiting["blocked_by"] == WaitRule.CLUSTER_STARTING
        assert waiting["detail"] == (
            "1st in the queue. The cluster is already starting 2 workers, its current limit. "
            "Starts when one of them has started."
        )

    def test_a_claim_wakes_admission_while_jobs_wait_for_the_window(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        woken: list[str] = []
        monkeypatch.setattr(queue, "wake", woken.append)
        for _ in range(3):
            make.job()
        first, second = _launch()
        woken.clear()
        make.claim(first)
        assert len(woken) == 1
        _launch()
        woken.clear()
        make.claim(second)
        assert woken == [], "no job waits any more"

    @pytest.mark.parametrize(
        ("category", "more"),
        [
            (FailureReason.UNSCHEDULABLE_CPU, 2),
            (FailureReason.IMAGE_NOT_FOUND, 2),
            (FailureReason.STARTING, 0),
            (FailureReason.IMAGE_PULLING, 0),
            (FailureReason.NEVER_CLAIMED, 0),
        ],
    )
    def test_a_worker_that_waits_for_its_cluster_is_not_starting(
        self, category: FailureReason, more: int
    ) -> None:
        for _ in range(6):
            make.job()
        _launch()
        Attempt.objects.update(waits_for={"category": category, "summary": "It waits."})
        assert len(_launch()) == 2 + more

    def test_a_worker_whose_launches_fail_is_not_starting(self) -> None:
        for _ in range(4):
            make.job()
        admit_once(hint=False)
        Attempt.objects.update(launch_failures=1)
        assert len(admit_once(hint=False)) == 2

    def test_ended_and_fenced_attempts_are_not_starting(self) -> None:
        for _ in range(4):
            make.job()
        first, second = _launch()
        Attempt.objects.filter(id=first.id).update(ended_at=utc_now())
        Attempt.objects.filter(id=second.id).update(fenced_at=utc_now())
        assert not any(each.is_starting for each in snapshot().allocations)

    def test_a_start_that_waited_for_an_image_is_not_slow(self) -> None:
        StartWindow.objects.create(cluster=Cluster.objects.get(), size=8.0, usual_seconds=0.5)
        for _ in range(9):
            make.job()
        attempts = _launch()
        late = utc_now() - dt.timedelta(seconds=100)
        Attempt.objects.update(created_at=late, launched_at=late)
        wait = not_called_yet().body()
        for attempt in attempts[:7]:
            wait_record(attempt_id=attempt.id, wait={**wait, "category": "image_pulling"})
            wait_record(attempt_id=attempt.id, wait=wait)
            make.claim(attempt)
        _launch()
        assert StartWindow.objects.get().slow_share == pytest.approx(0.1), "only the eighth"

    def test_slow_starts_shrink_the_window_and_it_is_kept(self) -> None:
        StartWindow.objects.create(
            cluster=Cluster.objects.get(), size=8.0, usual_seconds=0.5, judged_at=1.0
        )
        for _ in range(9):
            make.job()
        assert len(_launch()) == 8
        late = utc_now() - dt.timedelta(seconds=30)
        Attempt.objects.update(created_at=late, launched_at=late)
        _launch()
        stored = StartWindow.objects.get()
        assert stored.size == pytest.approx(5.6)
        assert stored.cut_at is not None
        assert Attempt.objects.count() == 8, "eight are starting, five may"
