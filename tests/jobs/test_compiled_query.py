"""Compiled admission queries return the same rows as Django's queries."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.db.models import QuerySet

from jobs.admission import snapshot
from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_ensure
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Attempt, Cluster, Job
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _cluster() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=10)


def _with_types(rows: Sequence[Sequence[object]]) -> list[list[tuple[type, object]]]:
    return sorted(([(type(value), value) for value in row] for row in rows), key=str)


def test_rows_and_their_types_equal_those_of_the_query_set() -> None:
    for _ in range(3):
        make.job()
    admit_once(hint=False, limit=2)
    make.job()
    Job.objects.filter(status="queued").update(
        not_before=utc_now() + dt.timedelta(seconds=30), attempt=2, exclusive_key="twin:1"
    )
    for build in (snapshot._waiting, snapshot._sums, snapshot._cluster_with_free_slot):
        expected = list(build())
        assert expected, "nothing is compared"
        assert _with_types(CompiledQuery(build).rows()) == _with_types(expected)


def test_a_compiled_query_reads_the_rows_as_they_are_now() -> None:
    assert snapshot.waiting_jobs() == ()
    job = make.job()
    assert [each.job_id for each in snapshot.waiting_jobs()] == [job.id]
    admit_once(hint=False)
    assert snapshot.waiting_jobs() == ()
    assert [each.workers for each in snapshot.allocations_summed()] == [1]
    Attempt.objects.update(gone_at=utc_now())
    assert snapshot.allocations_summed() == ()


def test_a_query_is_built_once() -> None:
    built = []

    def build() -> "QuerySet[Cluster, Any]":
        built.append(1)
        return Cluster.objects.values_list("name")

    query = CompiledQuery(build)
    assert query.rows() == query.rows()
    assert built == [1]


def test_a_compiled_query_takes_the_value_of_each_call() -> None:
    query = CompiledQuery(lambda: Cluster.objects.filter(name="?").values_list("name"), varies="?")
    assert query.rows("local") == [("local",)]
    assert query.rows("other") == []
    assert query.rows("local") == [("local",)]
