"""SQL of definitions is parsed in a limited child process.

Hostile SQL can use up the budget of the child, but not the memory of the server.
"""

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mimir.lib.schemas.sqlguard import text_complaint
from mimir.lib.schemas.sqlparser import BadQuery, parse_query
from projects.parsing import child_process, definition_check
from projects.parsing.cache import ExpiringCache
from projects.parsing.slots import Busy, Kind, Owner, Slots
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

VALIDATE, PIPELINES = "projects/demo/pipelines/validate/", "projects/demo/pipelines/"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    definition_check._answers.clear()


@pytest.fixture
def caller() -> Caller:
    return Caller(make.project().created_by)


def _definition(*queries: str) -> dict[str, Any]:
    return {
        "steps": [
            {"id": f"s{index}", "uses": "sql", "with": {"query": query}}
            for index, query in enumerate(queries)
        ]
    }


HOSTILE = {
    "at signs": "SELECT " + "@ " * 45_000 + "1",
    "at signs in brackets": "SELECT " + "@ @ @ @ (" * 9_000 + "1",
    "bangs": "! " * 49_000,
    "not": "SELECT " + "NOT " * 24_000 + "true",
    "minus": "SELECT " + "- " * 49_000 + "1",
    "minus and plus, with comments": "SELECT " + "-/**/+ " * 14_000 + "1",
    "with, 8 levels": "WITH a AS (" * 8,
    "with, 10 levels": "WITH a AS (" * 10,
    "with, 12 levels, columns": "WITH a(b) AS (" * 12,
    "with recursive": "WITH RECURSIVE a AS MATERIALIZED (" * 11,
    "with, 2000 levels": "WITH a AS (" * 2_000,
    "with, closed around nothing": "WITH a AS (" * 9 + "1" + ") SELECT 1" * 9,
    "brackets": "SELECT " + "(" * 49_000 + "1" + ")" * 49_000,
    "lists": "SELECT " + "[" * 49_000 + "1" + "]" * 49_000,
    "structs": "SELECT " + "{'a':" * 15_000 + "1" + "}" * 15_000,
    "lambdas": "SELECT " + "lambda x: " * 9_000 + "1",
    "arrows": "SELECT x" + " -> y" * 19_000,
    "case": "SELECT " + "CASE WHEN 1 THEN " * 4_000 + "1" + " END" * 4_000,
    "case, open": "SELECT " + "CASE WHEN 1 THEN " * 5_000,
    "casts": "SELECT 1" + "::INT" * 19_000,
    "indexes": "SELECT a" + "[1]" * 32_000,
    "joins": "SELECT * FROM a " + "JOIN (a " * 9_000,
    "quotes": "SELECT '" + "'" * 90_000,
    "comments": "SELECT 1 " + "/*" * 45_000,
    "dollar quotes": "SELECT " + "$a$" * 30_000,
    "union": "SELECT 1" + " UNION ALL SELECT 1" * 5_200 + " UNION",
    "surrogate": "SELECT '\ud800'",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_sql_is_refused_at_its_step_and_costs_the_server_nothing(
    query: str, tmp_path: Path
) -> None:
    """The wall time is limited, too: the child has a budget of 5 seconds of CPU time."""
    me = psutil.Process()
    before, began = me.memory_info().rss, time.monotonic()
    found = definition_check.check(_definition("SELECT 1", query), scratch_dir=str(tmp_path))
    assert [fault.path for fault in found.faults] == ["steps[1].with.query"]
    assert 10 < len(found.faults[0].message) < 300
    assert found.graph == {"nodes": [], "edges": []}
    assert me.memory_info().rss - before < 48 * 1024**2
    assert time.monotonic() - began < 15
    assert not list(tmp_path.iterdir())


def test_all_steps_of_a_definition_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 steps take 0.1 s each, more than the budget of 5 s (2 s in this test)."""
    monkeypatch.setattr(
        definition_check,
        "LIMITS",
        child_process.Limits(20, 2, 1024**3, 400 * 1024**2, 64 * 1024**2),
    )
    started = time.monotonic()
    found = definition_check.check(
        _definition(*["WITH a(b) AS (" * 6 + f"/*{index}*/" for index in range(200)]),
        scratch_dir=artifacts.scratch_dir(),
    )
    assert len(found.faults) == 1
    assert found.faults[0].path.startswith("steps[")
    assert "CPU time" in found.faults[0].message
    assert time.monotonic() - started < 15


HONEST = {
    "list of 15,000 numbers": "SELECT 1 WHERE 1 IN (" + ", ".join(map(str, range(15_000))) + ")",
    "list of 5,000 texts": "SELECT 1 WHERE 'a' IN (" + ", ".join(f"'name {index}'" for index in range(5_000)) + ")",  # noqa: E501
    "values": "SELECT * FROM (VALUES " + ", ".join(f"({index}, 'x')" for index in range(5_000)) + ") AS t(a, b)",  # noqa: E501
    "1,000 columns": "SELECT " + ", ".join(f"{index} AS column_{index}" for index in range(1_000)),
    "400 unions": "SELECT 1" + " UNION ALL SELECT 1" * 400,
    "300 entries of WITH": "WITH " + ", ".join(f"a{index} AS (SELECT {index} AS x)" for index in range(300)) + " SELECT * FROM a299",  # noqa: E501
    "WITH in WITH": "WITH a AS (" * 8 + "SELECT 1 AS x" + ") SELECT * FROM a" * 8,
    "subqueries": "SELECT * FROM (" * 40 + "SELECT 1" + ")" * 40,
    "case": "SELECT " + "CASE WHEN 1 = 2 THEN 3 ELSE " * 40 + "1" + " END" * 40,
    "functions": "SELECT " + "abs(" * 60 + "1" + ")" * 60,
    "structs": "SELECT " + "{'a': [" * 30 + "1" + "]}" * 30,
    "conditions": "SELECT 1 WHERE " + " OR ".join(f"(1 = {index} AND 2 > {index})" for index in range(900)),  # noqa: E501
    "line of dashes": "-- " + "-" * 3_000 + "\nSELECT 1 -- ((((((((" + "(" * 900,
    "brackets in text": "SELECT '" + "(" * 5_000 + "', \"" + "[" * 900 + "\" FROM (SELECT 1 AS \"" + "[" * 900 + '")',  # noqa: E501
    "not not": "SELECT NOT NOT NOT - - - 1 = 1",
    "text of 90,000 characters": "SELECT '" + "x" * 90_000 + "'",
}  # fmt: skip


def test_honest_sql_passes() -> None:
    assert {
        name: text_complaint(query) for name, query in HONEST.items() if text_complaint(query)
    } == {}
    assert (
        definition_check.check(
            _definition(*HONEST.values()), scratch_dir=artifacts.scratch_dir()
        ).faults
        == ()
    )


def test_both_endpoints_answer_hostile_sql(caller: Caller) -> None:
    """One query is refused by the guard, the other by the child."""
    for query in (HOSTILE["at signs"], HOSTILE["with, 10 levels"]):
        checked = caller.post(VALIDATE, {"definition": _definition(query)})
        assert (checked.status_code, checked.json()["valid"], len(checked.json()["errors"])) == (
            200,
            False,
            1,
        )
        saved = caller.post(PIPELINES, {"name": "p", "definition": _definition(query)})
        assert (saved.status_code, list(saved.json()["detail"])) == (
            400,
            ["definition.steps[0].with.query"],
        )


@pytest.mark.parametrize(
    ("query", "said", "unsaid"),
    [
        ("create table x as select * from sales", "CREATE is another kind of statement", "pivot"),
        ("insert into sales values (1)", "INSERT", "pivot"),
        ("-- tidy\nDELETE FROM sales", "DELETE", "pivot"),
        ("PIVOT s0 ON x USING sum(y)", "must list its values", "serialize"),
        ("SELECT 1; SELECT 2", "exactly one SELECT", "pivot"),
        ("SELEC 1", 'syntax error near "SELEC" at line 1, column 1', "at or near"),
        ("SELECT 1,\n  b c d", 'near "d" at line 2, column 7', "at or near"),
        ("SELECT 'abc", "not closed at line 1, column 8", "literal"),
        ('SELECT "abc', "not closed at line 1, column 8", "identifier"),
        ("SELECT 1 /* x", "comment that is not closed", "at or near"),
        ("SELECT max(1) OVER zz", "window", "does not exist"),
        ("SELECT " + "1 + " * 2000 + "1", "nested too deeply", "SET max"),
        ("SELECT * FROM read_csv('x')", "read_csv()", "pivot"),
    ],
    ids=lambda text: text[:24],
)
def test_parser_errors_are_translated(query: str, said: str, unsaid: str) -> None:
    with pytest.raises(BadQuery) as refused:
        parse_query(query)
    assert said in str(refused.value)
    assert unsaid.lower() not in str(refused.value).lower()


def test_a_definition_is_checked_once_refused_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    run = child_process.run_child

    def counted(request: Any, *others: Any) -> Any:
        started.append(request["operation"])
        return run(request, *others)

    monkeypatch.setattr(definition_check, "run_child", counted)
    for query in ("SELECT 1", "WITH a AS (" * 9):
        first = definition_check.check(_definition(query), scratch_dir=artifacts.scratch_dir())
        assert (
            definition_check.check(_definition(query), scratch_dir=artifacts.scratch_dir()) is first
        )
    assert len(started) == 2


def test_a_busy_machine_is_not_held_against_the_definition(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        definition_check,
        "LIMITS",
        child_process.Limits(0.0, 5, 1024**3, 400 * 1024**2, 64 * 1024**2),
    )
    answer = caller.post(VALIDATE, {"definition": _definition("SELECT 1")})
    assert (answer.status_code, answer.json()["code"]) == (429, "busy")
    assert int(answer["Retry-After"]) > 0
    monkeypatch.undo()
    assert caller.post(VALIDATE, {"definition": _definition("SELECT 1")}).json()["valid"] is True


def test_one_user_or_project_cannot_take_all_slots() -> None:
    slots = Slots(3, (), {Kind.DEFINITION: 1})
    with slots.held(Kind.DEFINITION, Owner("a", "p"), 0.01):
        for owner in (Owner("a", "q"), Owner("b", "p")):
            with pytest.raises(Busy), slots.held(Kind.DEFINITION, owner, 0.01):
                pass
        with slots.held(Kind.DEFINITION, Owner("b", "q"), 0.01):
            pass
    with slots.held(Kind.DEFINITION, Owner("a", "q"), 0.01):
        pass


def test_what_is_remembered_is_bounded_in_number_weight_and_time() -> None:
    kept: ExpiringCache[int] = ExpiringCache(entries=2, weight=10, seconds=60)
    for number in range(3):
        kept.put(str(number), number, weight=4)
    assert [kept.get(str(number)) for number in range(3)] == [None, 1, 2]
    kept.put("heavy", 9, weight=7)
    assert (kept.get("2"), kept.get("heavy")) == (None, 9)
    kept.put("too heavy", 9, weight=11)
    assert kept.get("too heavy") is None
    old: ExpiringCache[int] = ExpiringCache(entries=2, weight=10, seconds=-1)
    old.put("a", 1)
    assert old.get("a") is None
