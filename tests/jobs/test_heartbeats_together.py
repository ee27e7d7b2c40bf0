"""Heartbeats of many workers in one statement, with the same checks as a single heartbeat."""

from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from jobs.contract import JobStatus
from jobs.lifecycle.heartbeat_rate import heartbeat_seconds
from jobs.lifecycle.heartbeats import Heartbeat, heartbeats_record
from jobs.lifecycle.report import heartbeat_record
from jobs.models import Attempt, Job, UsageSample
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _heartbeat(attempt: Attempt, peak: int = 7) -> Heartbeat:
    assert attempt.claim_id is not None
    return Heartbeat(attempt.id, attempt.claim_id, 5, peak, 3)


def test_several_heartbeats_are_one_statement_with_the_response_of_a_single_one() -> None:
    attempts = [make.claimed() for _ in range(2)]
    Job.objects.filter(id=attempts[1].job_id).update(status=JobStatus.CANCELLING)
    heartbeat_seconds()
    with CaptureQueriesContext(connection) as queries:
        responses = heartbeats_record(heartbeats=[_heartbeat(each) for each in attempts])
    assert len(queries) == 1
    assert [responses[each.id]["cancel"] for each in attempts] == [False, True]
    for before in attempts:
        after = Attempt.objects.get(id=before.id)
        assert before.heartbeat_at is not None
        assert after.heartbeat_at is not None
        assert after.heartbeat_at > before.heartbeat_at
        assert after.peak_memory_bytes == 7
        sample = UsageSample.objects.get(attempt=after)
        assert (sample.memory_bytes, sample.cpu_millicores) == (5, 3)
        single = heartbeat_record(
            attempt_id=before.id, memory_bytes=5, peak_memory_bytes=7, cpu_millicores=3
        )
        assert responses[before.id] == single


def test_the_peak_never_falls() -> None:
    attempt = make.claimed()
    for peak in (9, 4):
        heartbeats_record(heartbeats=[_heartbeat(attempt, peak)])
    attempt.refresh_from_db()
    assert attempt.peak_memory_bytes == 9


@pytest.mark.parametrize("column", ["fenced_at", "ended_at"])
def test_a_fenced_or_ended_attempt_has_no_response_and_stores_nothing(column: str) -> None:
    closed, running = make.claimed(), make.claimed()
    Attempt.objects.filter(id=closed.id).update(**{column: utc_now()})
    responses = heartbeats_record(heartbeats=[_heartbeat(closed), _heartbeat(running)])
    assert set(responses) == {running.id}
    assert UsageSample.objects.get().attempt_id == running.id
    assert Attempt.objects.get(id=closed.id).heartbeat_at == closed.heartbeat_at


def test_an_attempt_that_another_claim_holds_stores_nothing() -> None:
    attempt = make.claimed()
    other = replace(_heartbeat(attempt), claim_id=uuid4())
    assert heartbeats_record(heartbeats=[other]) == {}
    assert not UsageSample.objects.exists()


def test_a_row_that_another_transaction_holds_delays_nobody() -> None:
    held, free = make.claimed(), make.claimed()
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    other = psycopg.connect(**{name: parameters[name] for name in names if name in parameters})
    with other:
        other.execute("SELECT 1 FROM jobs_attempt WHERE id = %s FOR UPDATE", [held.id])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        try:
            responses = heartbeats_record(heartbeats=[_heartbeat(held), _heartbeat(free)])
        except OperationalError:
            responses = {}  # it waited for the lock
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
    assert set(responses) == {free.id}
