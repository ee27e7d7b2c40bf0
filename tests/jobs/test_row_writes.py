"""Row updates of a job: columns updated in place have no index, and no index is redundant."""

import pytest
from django.apps import apps
from django.db import connection

from jobs.contract import EventKind, FailureReason, FinishStatus
from jobs.lifecycle.report import events_record
from jobs.lifecycle.values import WorkerEvent
from jobs.models import Attempt, JobEvent
from jobs.reconcile.apply import clean_up_record
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db

# Columns in keys, expressions and conditions of indexes. A change of one writes all indexes of the
# row; PostgreSQL makes every other change in place.
_INDEXED = """
SELECT DISTINCT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum > 0
WHERE indrelid = %s::regclass AND (attnum = ANY(indkey) OR EXISTS (
    SELECT FROM pg_depend
    WHERE objid = indexrelid AND refobjid = indrelid AND refobjsubid = attnum
))
"""
_SERVED_BY_ANOTHER = """
SELECT one.indexrelid::regclass::text, other.indexrelid::regclass::text
FROM pg_index AS one JOIN pg_index AS other
    ON other.indrelid = one.indrelid AND other.indexrelid <> one.indexrelid
WHERE one.indrelid = ANY(%s::regclass[])
AND NOT one.indisunique AND one.indpred IS NULL AND one.indexprs IS NULL
AND other.indpred IS NULL
AND other.indkey::text || ' ' LIKE one.indkey::text || ' %%'
"""


_GROWING = (
    "jobs_job",
    "jobs_jobsearch",
    "jobs_attempt",
    "jobs_jobevent",
    "jobs_jobinput",
    "jobs_joboutput",
    "jobs_logchunk",
    "jobs_artifact",
    "jobs_usagesample",
    "jobs_metricdelta",
)


def _indexed(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_INDEXED, [table])
        return {row[0] for row in cursor.fetchall()}


def _updates(table: str) -> int:
    """Return the number of row updates in the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_xact_tuples_updated(%s::regclass)", [table])
        return int(cursor.fetchone()[0])


def test_the_indexes_of_jobs_change_with_status_and_attempt_only() -> None:
    changed = {"status", "reason", "not_before", "finished_at", "resources"}
    written_once = {
        "id",
        "project_id",
        "created_by_id",
        "retry_of_id",
        "type",
        "priority",
        "parameters",
        "exclusive_key",
        "cluster",
        "region",
        "idempotency_key",
        "created_at",
        "queued_at",
    }
    assert _indexed("jobs_job") == changed | written_once


def test_attempt_indexes_change_when_the_worker_is_gone_or_removed_or_its_log_is_sealed() -> None:
    changed = {"gone_at", "cleaned_up_at", "log_object"}
    written_once = {"id", "job_id", "number", "cluster_id", "name", "created_at"}
    assert _indexed("jobs_attempt") == changed | written_once


def test_no_index_is_the_beginning_of_another() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SERVED_BY_ANOTHER, [list(_GROWING)])
        assert cursor.fetchall() == []


def test_no_index_of_any_table_is_the_beginning_of_another_of_the_same_kind() -> None:
    ours = [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in ("projects", "jobs")
    ]
    assert len(ours) > len(_GROWING)
    # An index for LIKE has the column of another, and compares it differently.
    same_kind = " AND other.indclass::text || ' ' LIKE one.indclass::text || ' %%'"
    with connection.cursor() as cursor:
        cursor.execute(_SERVED_BY_ANOTHER + same_kind, [ours])
        assert cursor.fetchall() == []


def test_a_report_and_a_finish_write_each_row_as_rarely_as_stated() -> None:
    attempt = make.claimed()
    before = _updates("jobs_job"), _updates("jobs_attempt")
    event = WorkerEvent(n=1, at=utc_now(), kind=EventKind.PROGRESS, data={"fraction": 0.5})
    events_record(attempt_id=attempt.id, events=[event])
    reported = _updates("jobs_job"), _updates("jobs_attempt")
    make.finish(attempt)
    finished = _updates("jobs_job"), _updates("jobs_attempt")
    assert (reported[0] - before[0], reported[1] - before[1]) == (1, 1)
    assert (finished[0] - reported[0], finished[1] - reported[1]) == (1, 2)


def test_the_event_of_the_closed_log_precedes_the_end() -> None:
    attempt = make.claimed()
    make.finish(attempt)
    events = JobEvent.objects.filter(job=attempt.job).order_by("seq").values_list("seq", "kind")
    seqs, kinds = zip(*events, strict=True)
    assert seqs == tuple(range(1, len(seqs) + 1))
    assert kinds[-2:] == (EventKind.LOG_CLOSED, EventKind.SUCCEEDED)


def test_only_a_success_removes_its_stored_pods() -> None:
    good, bad = make.claimed(), make.claimed()
    make.finish(good)
    make.finish(bad, FinishStatus.FAILED, reason=FailureReason.EXIT_CODE)
    Attempt.objects.update(pods_seen=[{"status": {}}], waits_for={"category": "starting"})
    for attempt in (good, bad):
        clean_up_record(attempt_id=attempt.id)
        attempt.refresh_from_db()
        assert attempt.cleaned_up_at is not None
    assert (good.pods_seen, good.waits_for) == ([], None)
    assert (bad.pods_seen, bad.waits_for) == ([{"status": {}}], {"category": "starting"})
