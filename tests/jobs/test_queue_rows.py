"""Groups and heads of waiting jobs as the database returns them."""

import datetime as dt
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from jobs.admission.admit import admit_once
from jobs.admission.candidates import admit_heads
from jobs.admission.decide import admit
from jobs.admission.ledger import Ledger
from jobs.admission.limits import limit_set
from jobs.admission.lines import relevant_jobs
from jobs.admission.positions import queue_positions
from jobs.admission.queue_rows import QueueRows
from jobs.admission.queue_state import places_of
from jobs.admission.shapes import WaitingBody
from jobs.admission.snapshot import snapshot, waiting_and_free_slot
from jobs.admission.snapshot_types import Snapshot
from jobs.admission.starts import full_windows
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import PRIORITIES, JobStatus
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job, Limit
from jobs.reasons import UNCOUNTED_REASONS
from mimir.lib.clock import utc_now
from projects.models import Project, ProjectStatus
from tests.jobs.listed_queue import ListedQueue
from tests.support import make
from tests.support.queued import jobs_queued, requests

pytestmark = pytest.mark.django_db

SIZES = ((1000, 2**30, 0), (1000, 2**30, 0), (2000, 2**31, 0), (1000, 2**30, 1), (9000, 2**30, 0))


def _clusters() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=6, capacity_cpu_millicores=6000, capacity_memory_bytes=0)
    Cluster.objects.create(
        name="eu-1",
        region="eu",
        launcher="memory",
        capacity_jobs=4,
        capacity_cpu_millicores=8000,
        capacity_memory_bytes=0,
    )


def _random_row(source: random.Random, projects: list[Project], now: dt.datetime) -> dict[str, Any]:
    retried = source.random() < 0.3
    until = now + dt.timedelta(seconds=source.choice([-400, -100, 0, 60]))
    return {
        "project_id": source.choice(projects).id,
        "type": source.choice(["pipeline_execution", "ml_training"]),
        "priority": source.choice(PRIORITIES).value,
        "cluster": source.choice(["", "", "", "eu-1", "gone"]),
        "region": source.choice(["", "", "", "eu"]),
        "resources": requests(*source.choice(SIZES)),
        "exclusive_key": source.choice(["", "", "twin:1", "twin:2", "twin:3"]),
        "queued_at": now - dt.timedelta(seconds=source.randint(1, 600)),
        "not_before": until if retried else None,
        "attempt": 2 if retried else 1,
    }


def _attempt(job_id: Any, number: int, **fields: Any) -> Attempt:
    amounts = {"cpu_millicores": 1000, "memory_bytes": 2**30, "cluster_id": "local"}
    return Attempt(job_id=job_id, number=number, name=f"w-{job_id}-{number}", **amounts, **fields)


def _random_queue(seed: int, count: int) -> None:
    """Write waiting jobs, previous attempts of retried ones, and a holder of a key."""
    source, now = random.Random(seed), utc_now()
    _clusters()
    projects = [make.project(), make.project("other"), make.project("archived")]
    Project.objects.filter(slug="archived").update(status=ProjectStatus.ARCHIVED)
    holder = make.job(projects[0])
    rows = [_random_row(source, projects, now) for _ in range(count)]
    ids = jobs_queued(holder, rows)
    Job.objects.filter(id=holder.id).update(status=JobStatus.RUNNING, exclusive_key="twin:1")
    attempts = [_attempt(holder.id, 1)]
    for job_id, row in zip(ids, rows, strict=True):
        if row["attempt"] == 2:
            ended = {"ended_at": now, "reason": sorted(UNCOUNTED_REASONS)[0]}
            gone = {} if source.random() < 0.3 else {"gone_at": now}
            attempts.append(_attempt(job_id, 1, **ended, **gone))
    Attempt.objects.bulk_create(attempts)


@pytest.mark.parametrize("seed", range(5))
def test_the_database_returns_the_groups_and_heads_that_a_list_has(seed: int) -> None:
    _random_queue(seed, 300)
    view = snapshot()
    assert len(view.waiting) == 300
    listed, stored = ListedQueue(view), QueueRows(replace(view, waiting=()))
    groups = stored.groups(999)
    assert groups is not None
    assert len(groups) == len(set(groups))
    assert set(groups) == set(listed.groups(999) or ())
    source = random.Random(seed)
    depths = {group: source.choice([1, 2, 3, 50]) for group in groups}
    assert stored.heads(depths) == listed.heads(depths)
    assert stored.rows_read == listed.rows_read
    some = groups[::20]
    assert sorted(stored.unplaceable(some)[0]) == sorted(listed.unplaceable(some)[0])


@pytest.mark.parametrize("seed", range(20, 25))
def test_the_database_returns_the_lines_that_a_list_has(seed: int) -> None:
    _random_queue(seed, 300)
    Cluster.objects.update(capacity_jobs=50)  # CPU is short before slots are: jobs can reserve
    view = replace(snapshot(), reserve_after_seconds=200.0)
    listed, stored = ListedQueue(view), QueueRows(replace(view, waiting=()))
    source, ledger = random.Random(seed), Ledger(view)
    for _ in range(14):
        relevant = relevant_jobs(view, ledger)
        depth = source.choice([1, 3, 50])
        first = listed.first(depth, relevant)
        assert stored.first(depth, relevant) == first
        for jobs in first.values():
            after = source.choice(list(jobs))
            assert stored.following(after, depth, relevant) == listed.following(
                after, depth, relevant
            )
        _change(ledger, view, source)
    assert stored.rows_read >= listed.rows_read > 0


def test_allocations_that_are_added_up_hold_what_the_attempts_hold() -> None:
    _random_queue(40, 60)
    cluster = Cluster.objects.get(name="eu-1")
    job = Job.objects.filter(status=JobStatus.RUNNING).get()
    Attempt.objects.bulk_create(
        _attempt(job.id, number, launch_failures=number % 2, gpus=number % 3)
        for number in range(2, 12)
    )
    Attempt.objects.filter(number__gt=8).update(cluster=cluster, claim_id=job.id)
    single, summed = snapshot(waiting=()), snapshot(waiting=(), summed=True)
    assert len(summed.allocations) < len(single.allocations)
    one, other = vars(Ledger(single)), vars(Ledger(summed))
    assert {**one, "snapshot": None} == {**other, "snapshot": None}
    assert full_windows(summed, ()) == full_windows(single, ())


def _change(ledger: Ledger, view: Snapshot, source: random.Random) -> None:
    """Admit a job or reserve a cluster, as in a pass."""
    fitting = [job for job in view.waiting if ledger.cluster_for(job) is not None]
    if fitting and source.random() < 0.95:
        job = source.choice(fitting)
        ledger.admit(job, ledger.cluster_for(job) or "")
    else:
        ledger.reserve(source.choice(view.capacities).cluster)


@pytest.mark.parametrize("seed", range(25, 28))
def test_the_database_returns_the_jobs_that_no_cluster_can_hold(seed: int) -> None:
    _random_queue(seed, 300)
    limit_set(scope=Limit.Scope.PROJECT, key="other", actor="test", max_jobs=None, paused=True)
    view = snapshot()
    stored = QueueRows(replace(view, waiting=()))
    for since in (0.0, view.now - 300.0):
        ids, more = stored.never_fit(since)
        assert (sorted(ids), more) == (sorted(ListedQueue(view).never_fit(since)[0]), False)
    assert QueueRows(replace(view, capacities=())).never_fit(0.0) == ([], False)


@pytest.mark.parametrize("seed", range(5, 10))
def test_a_pass_over_stored_heads_admits_what_a_pass_over_all_rows_admits(seed: int) -> None:
    _random_queue(seed, 300)
    view = snapshot()
    whole = admit(view)
    assert whole.admitted
    without = replace(view, waiting=())
    decision = admit_heads(without, QueueRows(without))
    assert decision.admitted == whole.admitted
    assert sorted(decision.never) == sorted(whole.never)


@pytest.mark.parametrize("seed", range(10, 14))
def test_positions_in_a_long_queue_are_those_in_the_order_of_the_whole_queue(seed: int) -> None:
    _random_queue(seed, 300)
    limit_set(scope=Limit.Scope.PROJECT, key="other", actor="test", max_jobs=None, paused=True)
    view = snapshot()
    whole = admit(view)
    ids = [job.job_id for job in view.waiting]
    admitted = [job_id for job_id, _cluster in whole.admitted]
    assert queue_positions(replace(view, waiting=()), admitted, ids) == places_of(whole)


def test_a_job_of_a_long_queue_is_explained_as_in_a_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beat_record(component="dispatcher")
    _random_queue(20, 100)
    jobs = list(Job.objects.filter(status=JobStatus.QUEUED).select_related("project"))
    short = job_waiting(jobs)
    monkeypatch.setattr("jobs.admission.queue_state.SHORT_QUEUE", 10)
    monkeypatch.setattr("jobs.admission.queue_state._long", None)
    _assert_alike(job_waiting(jobs), short)
    one = jobs[50]
    _assert_alike(job_waiting([one]), {one.id: short[one.id]})


def _assert_alike(found: dict[UUID, WaitingBody], expected: dict[UUID, WaitingBody]) -> None:
    """Compare explanations, apart from the seconds that pass between the two calls."""
    assert set(found) == set(expected)
    for job_id, body in expected.items():
        seconds = pytest.approx(body["estimate_seconds"], abs=30)
        assert found[job_id]["estimate_seconds"] == seconds
        assert _without_seconds(found[job_id]) == _without_seconds(body)


def _without_seconds(body: WaitingBody) -> str:
    return re.sub(r"Retries in \d+ s", "Retries", str({**body, "estimate_seconds": None}))


@contextmanager
def _rows_touched() -> Iterator[list[int]]:
    """Count the rows of jobs that the statements of this transaction read."""
    touched: list[int] = []
    before = _rows_read()
    yield touched
    touched.append(_rows_read() - before)


def _rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables "
            "WHERE relname = 'jobs_job'"
        )
        return int(cursor.fetchone()[0])


def test_a_pass_touches_few_rows_of_a_long_queue_also_with_old_statistics() -> None:
    _clusters()
    projects = [make.project(f"p{number}") for number in range(6)]
    job = make.job(projects[0])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")  # one waiting job
    now = utc_now()
    rows = [
        {
            "project_id": projects[number % 6].id,
            "priority": PRIORITIES[number % 2].value,
            "queued_at": now - dt.timedelta(seconds=number),
        }
        for number in range(6000)
    ]
    jobs_queued(job, rows)
    view = snapshot(waiting=())
    queue = QueueRows(view)
    with _rows_touched() as touched:
        decision = admit_heads(view, queue)
    assert len(decision.admitted) == 10
    groups = 13
    assert queue.rows_read <= groups + 8 * len(decision.admitted)
    assert touched[0] <= 3 * groups + 2 * queue.rows_read


def test_many_groups_are_read_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    _random_queue(30, 100)
    monkeypatch.setattr("jobs.admission.candidates.GROUPS_MAX", 10)
    view = snapshot()
    queue = QueueRows(replace(view, waiting=()))
    assert queue.groups(10) is None
    decision = admit_heads(replace(view, waiting=()), queue)
    assert decision.admitted == admit(view).admitted


def test_a_free_slot_is_found_without_reading_the_attempts() -> None:
    make.project()
    _clusters()
    Cluster.objects.exclude(name="local").update(enabled=False)
    job = make.job()
    assert waiting_and_free_slot(5) == (1, True)
    Attempt.objects.bulk_create(_attempt(job.id, number) for number in range(1, 7))
    assert waiting_and_free_slot(5) == (1, False), "all six slots are in use"
    Cluster.objects.filter(name="eu-1").update(enabled=True)
    assert waiting_and_free_slot(5) == (1, True)
    Cluster.objects.filter(name="eu-1").update(unreachable_since=utc_now())
    assert waiting_and_free_slot(5) == (1, False)
    Attempt.objects.filter(number=1).update(gone_at=utc_now())
    assert waiting_and_free_slot(5) == (1, True)


def test_waiting_jobs_are_counted_up_to_a_limit_and_no_slot_is_free_for_none() -> None:
    make.project()
    _clusters()
    assert waiting_and_free_slot(2) == (0, False)
    for expected in (1, 2, 2):
        make.job()
        assert waiting_and_free_slot(2) == (expected, True)


def test_jobs_of_a_long_queue_that_no_cluster_can_hold_all_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.admission.admit.SHORT_QUEUE", 10)
    monkeypatch.setattr("jobs.admission.queue_rows.NEVER_MAX", 5)
    make.project()
    _clusters()
    Cluster.objects.exclude(name="local").update(enabled=False)
    job = make.job()
    never = jobs_queued(job, [{"resources": requests(10, 2**30, gpus=8)} for _ in range(12)])
    jobs_queued(job, [{"resources": requests(1000, 2**30)} for _ in range(7)])
    assert len(admit_once(hint=False)) == 6
    failed = Job.objects.filter(status=JobStatus.FAILED, reason="never_fits")
    assert set(failed.values_list("id", flat=True)) == set(never)
    assert Job.objects.filter(status=JobStatus.QUEUED).count() == 2


def test_a_long_queue_is_admitted_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.admission.admit.SHORT_QUEUE", 3)
    make.project()
    _clusters()
    jobs = [make.job(cluster="local") for _ in range(9)]
    admit_once(hint=False, limit=4)
    begun = list(Attempt.objects.order_by("created_at").values_list("job_id", flat=True))
    assert begun == [each.id for each in jobs[:4]]
    admit_once(hint=False)
    assert Attempt.objects.count() == 6
