"""What a waiting job says of its place and its time."""

import datetime as dt

import pytest
from django.db.models import F

from jobs.contract import JobStatus, WaitRule
from jobs.models import Attempt, Cluster, Job
from jobs.selectors.waiting import job_waiting
from jobs.services.admit import admit_once
from jobs.services.beats import beat_record
from jobs.services.clusters import cluster_ensure
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _one_slot() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=1)
    beat_record(component="dispatcher")
    make.project()


def _running_and_waiting() -> tuple[Job, Job]:
    first, second = make.job(), make.job()
    admit_once()
    return first, second


def _a_job_that_took(seconds: float) -> None:
    now = utc_now()
    fields = {"status": JobStatus.SUCCEEDED, "started_at": now - dt.timedelta(seconds=seconds), "finished_at": now}
    Job.objects.filter(id=make.job().id).update(**fields)


def test_a_job_that_waits_for_its_next_try_takes_no_place_in_the_line() -> None:
    _first, later = make.job(), make.job()
    waits = make.job()
    Job.objects.filter(id=waits.id).update(not_before=utc_now() + dt.timedelta(hours=1), queued_at=F("queued_at") - dt.timedelta(hours=1))
    admit_once()
    shown = job_waiting(list(Job.objects.filter(status=JobStatus.QUEUED)))
    assert (shown[later.id]["position"], shown[later.id]["blocked_by"]) == (1, WaitRule.CAPACITY)
    assert shown[waits.id]["blocked_by"] == WaitRule.BACK_OFF


def test_an_estimate_is_what_is_left_of_the_usual_time_since_the_admission() -> None:
    _a_job_that_took(60)
    first, second = _running_and_waiting()
    Attempt.objects.filter(job=first).update(created_at=utc_now() - dt.timedelta(seconds=20))
    assert job_waiting([second])[second.id]["estimate_seconds"] == pytest.approx(40, abs=5)


def test_a_job_that_takes_longer_than_usual_promises_nothing_also_while_it_starts() -> None:
    _a_job_that_took(60)
    first, second = _running_and_waiting()
    Attempt.objects.filter(job=first).update(created_at=utc_now() - dt.timedelta(seconds=90))
    assert job_waiting([second])[second.id]["estimate_seconds"] is None
