"""Compiled admission queries return the same rows as Django's queries."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.db.models import QuerySet
from django.forms.models import model_to_dict

from jobs.admission import cluster_rows, snapshot
from jobs.admission.admit import admit_once
from jobs.admission.cluster_rows import clusters_with_windows
from jobs.admission.snapshot import clusters_with_limits
from jobs.admission.starts import has_waiting_jobs
from jobs.clusters.rows import cluster_ensure
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Attempt, Cluster, Job, Limit, StartWindow
from mimir.lib.clock import utc_now
from tests.support import make
from tests.support.costs import counted

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


def test_clusters_of_a_pass_equal_those_of_django() -> None:
    Cluster.objects.create(
        name="other",
        capacity_jobs=3,
        capacity_cpu_millicores=4000,
        capacity_memory_bytes=0,
        region="eu",
        enabled=False,
        unreachable_since=utc_now(),
    )
    make.job()
    admit_once(hint=False)
    StartWindow.objects.filter(cluster="other").delete()
    Limit.objects.create(scope=Limit.Scope.TYPE, key="ml_training", max_jobs=2)
    expected = list(clusters_with_limits().select_related("start_window"))
    found = clusters_with_windows()
    assert [each.name for each in found] == ["local", "other"]
    for mine, django in zip(found, expected, strict=True):
        for name in (*cluster_rows._COLUMNS, "limits", "start_size"):
            assert getattr(mine, name) == getattr(django, name), name
        assert _stored_window(mine) == _stored_window(django)
    assert [_stored_window(each) is None for each in found] == [False, True]


def _stored_window(cluster: Cluster) -> dict[str, object] | None:
    stored = getattr(cluster, "start_window", None)
    return None if stored is None else model_to_dict(stored)


def test_a_pass_reads_its_clusters_with_one_statement() -> None:
    with counted() as cost:
        for each in clusters_with_windows():
            has_waiting_jobs(each)
            snapshot._capacity(each)
    assert cost.statements == 1


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
