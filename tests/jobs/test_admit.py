"""Admission: passes run one at a time and decide over committed rows."""

import threading
from collections.abc import Sequence
from uuid import UUID

import pytest
from django.db import OperationalError, connection, connections, transaction

from jobs.admission import admit
from jobs.admission.admit import admit_once
from jobs.admission.limits import limit_set
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import EventKind, JobStatus, Priority, WaitRule
from jobs.core import queue
from jobs.core.locks import ADMISSION_LOCK
from jobs.dispatch import dispatcher
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.cancel import job_cancel
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job, JobEvent, Limit
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _slots(number: int) -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=number)


def _in_thread(target: object) -> threading.Thread:
    def run() -> None:
        try:
            target()  # type: ignore[operator]
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _wait_for_lock_waiter() -> None:
    """Wait until another session waits for the admission lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.01)
    raise TimeoutError("nobody waits for the admission lock")


def test_two_passes_at_once_give_a_slot_away_once() -> None:
    make.project()
    _slots(1)
    make.job()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        second = _in_thread(admit_once)
        try:
            _wait_for_lock_waiter()
            waited = True
        except TimeoutError:
            waited = False
    second.join()
    assert waited, "a pass went on although another one held the admission lock"


def test_a_pass_decides_over_what_the_pass_before_it_committed() -> None:
    """The snapshot is read under the lock; otherwise capacity would be allocated twice."""
    make.project()
    _slots(1)
    make.job()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        second = _in_thread(admit_once)
        _wait_for_lock_waiter()
        make.job(priority=Priority.CRITICAL)
        admit_once()  # the same session may take the lock again: the slot goes to the critical one
    second.join()
    assert Attempt.objects.count() == 1


def test_capacity_is_held_until_the_worker_is_observed_gone() -> None:
    make.project()
    _slots(1)
    attempt = make.claimed()
    waiting = make.job()
    make.finish(attempt)
    admit_once()
    assert Attempt.objects.filter(job=waiting).count() == 0, "its worker still runs"
    make.launcher().end(attempt.name)
    make.settle()
    admit_once()
    assert Attempt.objects.filter(job=waiting).count() == 1


def test_a_long_line_is_launched_while_the_rest_of_it_is_admitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.project()
    _slots(7)
    jobs = [make.job() for _ in range(8)]
    monkeypatch.setattr(dispatcher, "FIRST", 3)
    dispatcher.wake(Priority.NORMAL)
    begun = list(Attempt.objects.order_by("created_at").values_list("job_id", flat=True))
    assert begun == [job.id for job in jobs[:7]], (
        "in the line's order, as many as there is room for"
    )
    assert sorted(make.launcher().workers) == sorted(
        Attempt.objects.exclude(uid="").values_list("name", flat=True)
    )
    assert len(make.launcher().workers) == 7


def test_a_rest_that_cannot_be_admitted_leaves_the_first_ones_launched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.project()
    _slots(4)
    for _ in range(4):
        make.job()
    first = admit_once(hint=False, limit=2)

    def fails() -> list[UUID]:
        raise OperationalError("the database is gone")

    attempts_launch(first, more=fails)
    assert Attempt.objects.exclude(uid="").count() == len(first) == 2
    assert Job.objects.filter(status=JobStatus.QUEUED).count() == 2


def test_no_launch_is_enqueued_inside_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    make.project()
    _slots(2)
    make.job()
    in_transaction: list[bool] = []
    monkeypatch.setattr(
        queue, "launch", lambda ids, priority: in_transaction.append(connection.in_atomic_block)
    )
    admit_once()
    assert in_transaction == [False]


def test_a_limit_holds_and_the_reason_says_so() -> None:
    project = make.project()
    _slots(8)
    beat_record(component="dispatcher")
    limit_set(scope=Limit.Scope.PROJECT, key=project.slug, actor="test", max_jobs=1, paused=False)
    first, second = make.job(), make.job()
    admit_once()
    assert list(Job.objects.filter(status=JobStatus.LAUNCHING)) == [first]
    waiting = job_waiting([second])[second.id]
    assert (waiting["blocked_by"], waiting["position"]) == (WaitRule.JOBS_PROJECT, 1)
    assert (
        waiting["detail"]
        == "1st in the queue. This project runs 1 of its 1 jobs. Starts when one ends."
    )


def test_a_pause_keeps_everybody_waiting_and_lifting_it_lets_them_start() -> None:
    make.project()
    _slots(8)
    beat_record(component="dispatcher")
    limit_set(scope=Limit.Scope.GLOBAL, key="", actor="test", max_jobs=None, paused=True)
    job = make.job()
    assert admit_once() == []
    assert job_waiting([job])[job.id]["blocked_by"] == WaitRule.PAUSED
    limit_set(scope=Limit.Scope.GLOBAL, key="", actor="test", max_jobs=None, paused=False)
    assert len(admit_once()) == 1


def test_a_waiting_job_says_that_the_dispatcher_is_away() -> None:
    make.project()
    _slots(8)
    job = make.job()
    assert job_waiting([job])[job.id]["blocked_by"] == WaitRule.DISPATCHER_AWAY


def test_a_job_that_no_cluster_can_hold_fails_and_says_what_to_do() -> None:
    make.project()
    cluster_ensure()
    Cluster.objects.update(capacity_memory_bytes=2**30)
    job = make.job(resources={"memory": "4Gi"})
    admit_once()
    job.refresh_from_db()
    assert (job.status, job.reason) == (JobStatus.FAILED, "never_fits")
    assert job.diagnosis is not None
    assert job.diagnosis["next_steps"]


def test_a_pass_locks_all_jobs_it_moves_in_the_order_of_their_ids() -> None:
    """No deadlock occurs with a session that cancels several jobs.

    It holds the job that never fits and then locks the one that is admitted.
    """
    make.project()
    _slots(5)
    Cluster.objects.update(capacity_memory_bytes=8 * 2**30)
    never, fits = make.job(resources={"memory": "16Gi"}), make.job()
    assert never.id < fits.id
    with transaction.atomic():
        Job.objects.select_for_update().get(id=never.id)
        admitting = _in_thread(admit_once)
        _wait_for_row_waiter()
        Job.objects.select_for_update().get(id=fits.id)
    admitting.join(30)
    assert not admitting.is_alive()
    never.refresh_from_db()
    fits.refresh_from_db()
    assert (never.status, fits.status) == (JobStatus.FAILED, JobStatus.LAUNCHING)


def _wait_for_row_waiter() -> None:
    for _ in range(2000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype IN ('transactionid', 'tuple') AND "
                "NOT granted"
            )
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.01)
    raise TimeoutError("nobody waits for a row")


def test_a_pass_whose_jobs_were_all_cancelled_since_its_snapshot_admits_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.project()
    _slots(2)
    job = make.job()
    locked = admit._locked

    def after_a_cancel(*ids: Sequence[UUID]) -> dict[UUID, Job]:
        _in_thread(lambda: job_cancel(job_id=job.id, actor="user:ada")).join()
        return locked(*ids)

    monkeypatch.setattr(admit, "_locked", after_a_cancel)
    assert admit_once() == []
    assert not Attempt.objects.exists()
    assert Job.objects.get().status == JobStatus.CANCELLED


def test_a_move_of_many_jobs_of_which_one_has_moved_changes_nothing() -> None:
    make.project()
    cluster_ensure()
    jobs = [make.job(), make.job()]
    Job.objects.filter(id=jobs[1].id).update(status=JobStatus.LAUNCHING)
    with pytest.raises(ValueError, match="another status"), transaction.atomic():
        admit._admit([(job.id, "local") for job in jobs], {job.id: job for job in jobs})
    assert Job.objects.get(id=jobs[0].id).status == JobStatus.QUEUED
    assert not Attempt.objects.exists()
    assert not JobEvent.objects.filter(kind=EventKind.ADMITTED).exists()
