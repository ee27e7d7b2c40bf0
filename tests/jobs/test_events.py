"""Events have a seq without gaps in commit order. A job is locked before its attempt."""

import threading

import pytest
from django.db import connection, connections, transaction

from jobs.contract import EventKind
from jobs.core.transition import attempt_lock, event_add, job_lock
from jobs.models import Attempt, Job, JobEvent
from tests.support import make
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_later_event_is_not_visible_before_an_earlier_one() -> None:
    job = make.job()
    reader_saw: list[int] = []
    second_done = threading.Event()

    def second() -> None:
        try:
            with transaction.atomic():
                event_add(
                    job=Job.objects.get(id=job.id), attempt=1, kind=EventKind.NOTICE, actor="second"
                )
            reader_saw.extend(
                JobEvent.objects.filter(job=job).order_by("seq").values_list("seq", flat=True)
            )
        finally:
            second_done.set()
            connections.close_all()

    with transaction.atomic():
        event_add(job=Job.objects.get(id=job.id), attempt=1, kind=EventKind.NOTICE, actor="first")
        thread = threading.Thread(target=second)
        thread.start()
        second_done.wait(1.0)  # with a database sequence, the second would have committed by now
        early = list(reader_saw)
    thread.join()
    assert early == [], f"a reader saw {early} while an earlier event was not committed"
    assert reader_saw == [1, 2, 3]


def test_an_event_of_a_transaction_that_failed_leaves_no_gap() -> None:
    job = make.job()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        event_add(job=Job.objects.get(id=job.id), attempt=1, kind=EventKind.NOTICE, actor="test")
        raise ZeroDivisionError
    with transaction.atomic():
        event_add(job=Job.objects.get(id=job.id), attempt=1, kind=EventKind.NOTICE, actor="test")
    assert list(JobEvent.objects.filter(job=job).order_by("seq").values_list("seq", flat=True)) == [
        1,
        2,
    ]


def test_a_job_moves_inside_a_transaction_only() -> None:
    job = make.job()
    with pytest.raises(RuntimeError):
        event_add(job=job, attempt=1, kind=EventKind.NOTICE, actor="test")


def test_the_job_is_locked_before_its_attempt() -> None:
    """One statement locks both rows in this order, so no deadlock occurs."""
    attempt = make.claimed()
    locking = threading.Event()

    def lock() -> None:
        try:
            with transaction.atomic():
                locking.set()
                attempt_lock(attempt_id=attempt.id)
        finally:
            connections.close_all()

    thread = threading.Thread(target=lock)
    with transaction.atomic():
        job_lock(job_id=attempt.job_id)
        thread.start()
        locking.wait(20)
        wait_for(_waits_for_a_lock, "it waits for the job")
        free = Attempt.objects.select_for_update(skip_locked=True).filter(id=attempt.id).first()
    thread.join()
    assert free is not None, "it holds the attempt while it waits for the job"


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
