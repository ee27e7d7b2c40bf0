"""Instances of queries that are compiled once equal those of Django."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import Model, QuerySet, Value
from django.test.utils import CaptureQueriesContext

from jobs.core.compiled_instances import CompiledInstances
from jobs.core.transition import attempt_lock
from jobs.models import Attempt, Job
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

ANY = UUID(int=0)


def _values(instance: Model) -> dict[str, tuple[type, object]]:
    """Return the columns that are read, with their types."""
    return {name: (type(value), value) for name, value in _columns(instance).items()}


def _columns(instance: Model) -> dict[str, object]:
    names = [field.attname for field in instance._meta.concrete_fields]
    return {name: instance.__dict__[name] for name in names if name in instance.__dict__}


def _attempt() -> Attempt:
    return make.claimed(labels={"team": "a"})


def test_columns_related_objects_and_types_equal_those_of_the_query_set() -> None:
    attempt = _attempt()

    def build() -> "QuerySet[Attempt, Attempt]":
        return Attempt.objects.select_related("job__project", "job__created_by").filter(id=ANY)

    found = CompiledInstances(build, varies=ANY).get(attempt.id)
    expected = Attempt.objects.select_related("job__project", "job__created_by").get(id=attempt.id)
    assert _values(found) == _values(expected)
    assert _values(found.job) == _values(expected.job)
    assert _values(found.job.project) == _values(expected.job.project)
    assert found.job.created_by == expected.job.created_by
    assert not found._state.adding
    assert not found.job._state.adding


def test_related_objects_are_read_by_the_same_statement(
    django_assert_num_queries: Any,
) -> None:
    attempt = _attempt()
    query = CompiledInstances(
        lambda: Attempt.objects.select_related("job").filter(id=ANY), varies=ANY
    )
    with django_assert_num_queries(1):
        assert query.get(attempt.id).job.id == attempt.job_id


def test_other_columns_of_a_query_with_only_some_are_read_when_used() -> None:
    attempt = _attempt()
    query = CompiledInstances(lambda: Attempt.objects.only("claim_id").filter(id=ANY), varies=ANY)
    found = query.get(attempt.id)
    assert found.get_deferred_fields() == {
        field.attname for field in Attempt._meta.concrete_fields
    } - {"id", "claim_id"}
    assert found.name == attempt.name


def test_a_row_that_does_not_exist_is_none_or_raises() -> None:
    query = CompiledInstances(lambda: Attempt.objects.filter(id=ANY), varies=ANY)
    assert query.first(uuid4()) is None
    with pytest.raises(Attempt.DoesNotExist):
        query.get(uuid4())


def test_each_call_reads_the_row_of_its_value_as_it_is_now() -> None:
    query = CompiledInstances(lambda: Job.objects.filter(id=ANY), varies=ANY)
    first, second = make.job(), make.job()
    assert (query.first(first.id), query.first(second.id)) == (first, second)
    Job.objects.filter(id=first.id).update(message="changed")
    assert query.get(first.id).message == "changed"


def test_a_query_is_built_once() -> None:
    built = []

    def build() -> "QuerySet[Job, Job]":
        built.append(1)
        return Job.objects.filter(id=ANY)

    query = CompiledInstances(build, varies=ANY)
    query.first(uuid4())
    query.first(uuid4())
    assert built == [1]


def test_an_attempt_is_locked_only_inside_a_transaction() -> None:
    attempt = _attempt()
    with transaction.atomic():
        attempt_lock(attempt_id=attempt.id)  # its query is built
    with pytest.raises(transaction.TransactionManagementError):
        attempt_lock(attempt_id=attempt.id)


def test_the_lock_of_an_attempt_names_both_tables() -> None:
    attempt = _attempt()
    with transaction.atomic(), CaptureQueriesContext(transaction.get_connection()) as queries:
        job, found = attempt_lock(attempt_id=attempt.id)
    assert (job.id, found.id) == (attempt.job_id, attempt.id)
    assert 'FOR UPDATE OF "jobs_job", "jobs_attempt"' in queries.captured_queries[0]["sql"]


def test_annotations_are_refused() -> None:
    query = CompiledInstances(lambda: Job.objects.annotate(one=Value(1)))
    with pytest.raises(ValueError, match="annotations"):
        query.first(uuid4())
