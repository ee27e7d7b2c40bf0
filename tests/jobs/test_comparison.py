"""Comparison of two jobs: values by path, significance of measured values, and access."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import FailureReason, FinishStatus
from jobs.models import Job
from jobs.queries.comparison import ROWS_MAX, Fact, Group, Unit, compare, count_values, leaves
from jobs.queries.comparison_read import last_success
from projects.models import Role
from tests.api.caller import Caller, check_refusal
from tests.support import make


def _facts(**groups: Any) -> Any:
    return {group: groups.get(group.value, {}) for group in Group}


def _one_row(one: Fact | None, two: Fact | None) -> Any:
    first = {} if one is None else {"x": one}
    second = {} if two is None else {"x": two}
    [row] = compare(_facts(time=first), _facts(time=second))
    return row


def _seconds(value: float) -> Fact:
    return Fact(value, Unit.SECONDS, is_measured=True)


@pytest.mark.parametrize(
    ("one", "two", "differs"),
    [
        (Fact(1), Fact(1), False),
        (Fact(1), Fact(1.0), False),
        (Fact(1), Fact(True), True),
        (Fact(0), Fact(None), True),
        (Fact(None), None, True),
        (Fact(["a"]), Fact(["a"]), False),
        (_seconds(10.0), _seconds(10.4), False),
        (_seconds(10.0), _seconds(11.0), True),
        (_seconds(0.01), _seconds(0.09), False),
        (_seconds(0.05), None, False),
        (None, _seconds(3.0), True),
        (Fact(30, Unit.SECONDS), Fact(31, Unit.SECONDS), True),
        (Fact(100, Unit.BYTES, True), Fact(104, Unit.BYTES, True), False),
        (Fact(100, Unit.BYTES, True), Fact(130, Unit.BYTES, True), True),
    ],
)
def test_values_differ(one: Fact | None, two: Fact | None, differs: bool) -> None:
    assert _one_row(one, two)["differs"] is differs
    assert _one_row(two, one)["differs"] is differs


def test_a_path_that_one_job_lacks_is_distinct_from_null() -> None:
    row = _one_row(Fact(None), None)
    assert (row["a"], row["b"], row["in_a"], row["in_b"]) == (None, None, True, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1, "b": {"c": None}}, {"a": 1, "b.c": None}),
        ({"a": [1, 2]}, {"a": [1, 2]}),
        ({"a": {}, "b": []}, {"a": {}, "b": []}),
        ({"s": [{"id": "x", "n": 1}, {"id": "y", "n": 2}]}, {"s[x].id": "x", "s[x].n": 1, "s[y].id": "y", "s[y].n": 2}),  # noqa: E501
        ({"s": [{"n": 1}, 5]}, {"s[0].n": 1, "s[1]": 5}),
        ({"s": [{"id": "x", "n": 1}, {"id": "x", "n": 2}]}, {"s[0].id": "x", "s[0].n": 1, "s[1].id": "x", "s[1].n": 2}),  # noqa: E501
        ({"a.b": 1, "a": {"b": 2, "": 3}}, {'["a.b"]': 1, "a.b": 2, 'a[""]': 3}),
        ({}, {}),
    ],
)  # fmt: skip
def test_leaves_are_named_by_their_path(value: Any, expected: dict[str, Any]) -> None:
    assert dict(leaves(value)) == expected


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=2), _JSON))
def test_a_job_differs_from_itself_in_nothing(parameters: Any) -> None:
    facts = _facts(parameters={path: Fact(value) for path, value in leaves(parameters)})
    assert not any(row["differs"] for row in compare(facts, facts))


def _count(value: Any) -> int:
    """Return the number of leaves of a structure."""
    if isinstance(value, dict) and value:
        return sum(map(_count, value.values()))
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        return sum(map(_count, value))
    return 1


@given(st.dictionaries(st.text(max_size=2), _JSON, min_size=1))
def test_every_leaf_has_a_path_of_its_own(value: Any) -> None:
    assert len(dict(leaves(value))) == _count(value)


def test_rows_are_bounded() -> None:
    many = _facts(parameters={f"p{number}": Fact(number) for number in range(ROWS_MAX + 5)})
    assert len(compare(many, _facts())) == ROWS_MAX
    assert count_values(many, _facts()) == ROWS_MAX + 5


def _finished(**fields: Any) -> Job:
    attempt = make.claimed(**fields)
    make.finish(attempt)
    make.launcher().end(attempt.name)
    make.settle()
    return Job.objects.get(id=attempt.job_id)


@pytest.mark.django_db(transaction=True)
def test_a_failed_job_is_compared_with_the_successful_run_before_it() -> None:
    good = _finished(timeout_seconds=60, resources={"memory_max": "8Gi"})
    attempt = make.claimed(timeout_seconds=30)
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.WORKLOAD_FAILED)
    make.launcher().end(attempt.name, exit_code=1)
    make.settle()
    bad = Job.objects.get(id=attempt.job_id)
    _finished()
    caller = Caller(bad.project.created_by)
    found = caller.get(f"jobs/{bad.id}/last-success/").json()["job"]
    assert found["id"] == str(good.id)
    body = caller.get(f"jobs/{good.id}/compare/{bad.id}/").json()
    assert (body["a"]["id"], body["b"]["id"]) == (str(good.id), str(bad.id))
    rows = {(row["group"], row["path"]): row for row in body["rows"]}
    limit = rows["request", "timeout_seconds"]
    assert (limit["a"], limit["b"], limit["differs"]) == (60, 30, True)
    most = rows["request", "resources.memory_max"]
    assert (most["a"], most["b"], most["differs"]) == ("8Gi", None, True)
    assert rows["run", "status"]["differs"]
    assert rows["inputs", "pipeline.version"] == {
        "group": "inputs",
        "path": "pipeline.version",
        "unit": "",
        "a": 1,
        "b": 1,
        "in_a": True,
        "in_b": True,
        "differs": False,
    }
    assert rows["time", "total"]["a"] == pytest.approx(
        caller.get(f"jobs/{good.id}/time/").json()["seconds"]
    )
    assert body["differing"] == sum(row["differs"] for row in body["rows"])
    assert body["truncated"] is False


@pytest.mark.django_db(transaction=True)
def test_the_first_run_and_other_work_have_no_earlier_success() -> None:
    good = _finished()
    assert last_success(job=good) is None
    other = make.job()
    Job.objects.filter(id=other.id).update(parameters={"pipeline": "other"})
    other.refresh_from_db()
    assert last_success(job=other) is None
    assert Caller(good.project.created_by).get(f"jobs/{good.id}/last-success/").json() == {
        "job": None
    }


@pytest.mark.django_db(transaction=True)
def test_jobs_of_two_projects_and_of_strangers_are_not_compared() -> None:
    one = make.job()
    other_project = make.project("other")
    two = make.job(other_project)
    owner = Caller(one.project.created_by)
    check_refusal(owner.get(f"jobs/{one.id}/compare/{two.id}/"), 404)
    hidden = make.project("hidden", make.user("somebody"))
    check_refusal(owner.get(f"jobs/{one.id}/compare/{make.job(hidden).id}/"), 404)
    viewer = Caller(make.member(one.project, "viewer", Role.VIEWER))
    assert viewer.get(f"jobs/{one.id}/compare/{make.job().id}/").status_code == 200
    check_refusal(viewer.get(f"jobs/{two.id}/compare/{one.id}/"), 404)
