"""The seq of events has no gaps and follows the order of commits."""

import threading

import pytest
from django.db import connections, transaction

from jobs.contract import EventKind
from jobs.core.transition import event_add
from jobs.models import Job, JobEvent
from tests.support import make

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
        second_done.wait(
            1.0
        )  # with a sequence of the database the second would have committed by now
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
