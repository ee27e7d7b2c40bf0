"""Binding of the SQL of each step to the current columns of its tables.

Errors name their place, and the result lists the parts that were not checked.
"""

from typing import Any

import pytest

from mimir.lib.schemas.pipeline import check_definition
from projects.models import PipelineVersion
from projects.parsing import binding
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

VALIDATE, PIPELINES = "projects/demo/pipelines/validate/", "projects/demo/pipelines/"
WEATHER = [
    {"name": "day", "type": "DATE"},
    {"name": "temp_max", "type": "DOUBLE"},
    {"name": "wind speed", "type": "BIGINT"},
    {"name": "city", "type": "VARCHAR"},
    {"name": "at", "type": "TIMESTAMP WITH TIME ZONE"},
    {"name": "tags", "type": "VARCHAR[]"},
    {"name": "place", "type": "STRUCT(lat DOUBLE, lon DOUBLE)"},
    {"name": "kind", "type": "ENUM('a', 'b')"},
]
READ = {"id": "weather", "uses": "read", "with": {"dataset": "weather"}}


@pytest.fixture
def caller() -> Caller:
    project = make.project()
    make.dataset_version(project, "weather", schema=WEATHER)
    return Caller(project.created_by)


def _sql(query: str, identifier: str = "x") -> dict[str, Any]:
    return {"id": identifier, "uses": "sql", "with": {"query": query}}


def _check(caller: Caller, *steps: dict[str, Any]) -> dict[str, Any]:
    answer = caller.post(VALIDATE, {"definition": {"steps": list(steps)}})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "SELECT temp_mx FROM weather",
            [
                'column "temp_mx"',
                "weather does not have",
                'Did you mean "temp_max"?',
                "(line 1, column 8)",
            ],
        ),
        (
            "SELECT day,\n  w.tempmax\nFROM weather w",
            ['column "tempmax"', 'Did you mean "temp_max"?', "(line 2, column 3)"],
        ),
        ("SELECT zzzzqqqq FROM weather", ['column "zzzzqqqq"', "(line 1, column 8)"]),
        ("SELECT 1 FROM weather ORDER BY dai", ['column "dai"', 'Did you mean "day"?']),
        ("SELECT * EXCLUDE (citi) FROM weather", ['column "citi"', 'Did you mean "city"?']),
        (
            "SELECT * FROM weather JOIN weather b USING (citty)",
            ['column "citty"', 'Did you mean "city"?'],
        ),
        ("SELECT q.day FROM weather", ['"q"', "not a table of this query"]),
        (
            "SELECT lenght(city) FROM weather",
            ["lenght()", "not a function", 'Did you mean "length"?'],
        ),
        ("SELECT sum(city) FROM weather", ["sum(VARCHAR)", "CAST"]),
        ("SELECT temp_max + day FROM weather", ["DOUBLE and DATE", "CAST"]),
        ("SELECT day - 'x' FROM weather", ["DATE and STRING", "CAST"]),
        ("SELECT city, count(*) FROM weather", ['"city"', "GROUP BY"]),
        ("SELECT day FROM weather a, weather b", ['"day"', "several tables", "'a.\"day\"'"]),
        ("SELECT 1 UNION SELECT 1, 2", ["different numbers of columns"]),
        ("SELECT (SELECT 1, 2)", ["2 columns", "one value"]),
        ("SELECT day FROM weather WHERE sum(temp_max) > 1", ["aggregates in WHERE", "HAVING"]),
        ("SELECT * FROM weather WHERE day > $1", ["parameter"]),
        ("SELECT * FROM weather WHERE day > ?", ["parameter"]),
        ("SELECT CAST(city AS NUMERO) FROM weather", ["NUMERO", "not a type"]),
        ("SELECT COLUMNS('zz.*') FROM weather", ["zz.*", "no column matches"]),
        ("SELECT unnest(day) FROM weather", ["unnest()"]),
        ("SELECT place.latt FROM weather", ["latt"]),
        ("WITH w AS (SELECT city FROM weather) SELECT day FROM w", ['column "day"']),
    ],
    ids=lambda text: text[:40] if isinstance(text, str) else "",
)
def test_sql_that_does_not_fit_its_tables_is_an_error_at_its_step(
    query: str, said: list[str]
) -> None:
    """Bind the SQL as the child does."""
    definition: Any = {"steps": [READ, _sql(query)]}
    assert check_definition(definition) == []
    reads: Any = {"weather": {"dataset": "weather", "version": 1, "columns": WEATHER}}
    found = binding.bind(definition, reads, {}, lambda _path: None)
    assert [fault.path for fault in found.faults] == ["steps[1].with.query"]
    message = found.faults[0].message
    assert [part for part in said if part not in message] == [], message
    assert "Error:" not in message
    assert found.faults[0].detail
    assert [step["status"] for step in found.steps] == ["checked", "failed"]


def test_the_check_reports_it_and_says_that_it_can_be_saved(caller: Caller) -> None:
    found = _check(caller, READ, _sql("SELECT temp_mx FROM weather"))
    assert (found["valid"], found["can_be_saved"]) == (False, True)
    assert [(error["path"], error["kind"]) for error in found["errors"]] == [
        ("steps[1].with.query", "data")
    ]
    assert "temp_max" in found["errors"][0]["message"]


def test_columns_pass_from_step_to_step_in_the_order_of_the_run(caller: Caller) -> None:
    steps = [
        _sql("SELECT month, hottest + 1 AS next FROM months", "final"),
        _sql(
            "SELECT date_trunc('month', day) AS month, max(temp_max) AS hottest, sum(\"wind "
            'speed") AS w FROM weather GROUP BY 1;-- x',
            "months",
        ),
        READ,
        _sql(
            "SELECT place.lat, tags[1], kind || 'x' AS k, weather.at AT TIME ZONE 'UTC' AS u, "
            "months.w + 1 AS w FROM weather, months",
            "more",
        ),
    ]
    found = _check(caller, *steps)
    assert (found["valid"], found["errors"]) == (True, [])
    assert {step["id"]: step["status"] for step in found["steps"]} == dict.fromkeys(
        ("weather", "months", "final", "more"), "checked"
    )
    wrong = _check(
        caller,
        *steps,
        _sql("SELECT hotest FROM months", "typo"),
        _sql("SELECT day FROM final", "gone"),
    )
    assert sorted(
        (error["path"], '"hottest"' in error["message"]) for error in wrong["errors"]
    ) == [
        ("steps[4].with.query", True),
        ("steps[5].with.query", False),
    ]


def test_what_cannot_be_known_before_a_run_is_said_not_to_be_checked(caller: Caller) -> None:
    steps = [
        {"id": "page", "uses": "read", "with": {"url": "https://example.com/x.csv"}},
        _sql("SELECT anything FROM page", "first"),
        _sql("SELECT more FROM first JOIN weather USING (day)", "second"),
        READ,
        {"id": "tool", "uses": "command", "with": {"argv": ["true"], "tables": ["made"]}},
        _sql("SELECT a FROM made", "third"),
        _sql("SELECT city FROM weather", "fine"),
        {"id": "out", "uses": "write", "with": {"dataset": "weather", "from": "fine"}},
        {"id": "new", "uses": "write", "with": {"dataset": "other", "from": "second"}},
    ]
    found = _check(caller, *steps)
    status = {step["id"]: step["status"] for step in found["steps"]}
    assert found["valid"] is True
    assert status == {
        "page": "not_checked", "first": "not_checked", "second": "not_checked", "weather": "checked", "tool": "not_checked",  # noqa: E501
        "third": "not_checked", "fine": "checked", "out": "checked", "new": "checked",
    }  # fmt: skip
    said = {step["id"]: step["message"] for step in found["steps"]}
    assert "URL" in said["page"]
    assert "page" in said["first"]
    assert "page" in said["second"], "the reason, not the step between"
    assert "program" in said["tool"]
    assert "tool" in said["third"]
    assert said["out"] == "writes version 2 of dataset weather"
    assert said["new"] == "creates dataset other"
    assert "Not checked: " in found["summary"]
    assert all(name in found["summary"] for name in ("page", "first", "second", "tool", "third"))
    assert "1 dataset that is read" in found["summary"]


@pytest.mark.parametrize(
    ("options", "path", "said"),
    [
        ({"dataset": "wether"}, "steps[0].with.dataset", "Did you mean weather?"),
        ({"dataset": "sales"}, "steps[0].with.dataset", "does not exist in this project"),
        ({"dataset": "weather", "version": 7}, "steps[0].with.version", "the newest is 1"),
        ({"dataset": "later"}, "steps[0].with.dataset", "write step of this pipeline"),
    ],
)
def test_a_dataset_that_does_not_exist_is_an_error_of_its_step(
    caller: Caller, options: dict[str, Any], path: str, said: str
) -> None:
    steps = [
        {"id": "a", "uses": "read", "with": options},
        _sql("SELECT x FROM a"),
        {"id": "w", "uses": "write", "with": {"dataset": "later", "from": "x"}},
    ]
    found = _check(caller, *steps)
    assert [(error["path"], error["kind"]) for error in found["errors"]] == [(path, "data")]
    assert said in found["errors"][0]["message"]
    assert [step["status"] for step in found["steps"]] == ["failed", "not_checked", "checked"]


def test_it_is_saved_with_a_warning(caller: Caller) -> None:
    definition = {"steps": [READ, _sql("SELECT temp_mx FROM weather")]}
    saved = caller.post(PIPELINES, {"name": "p", "definition": definition})
    assert saved.status_code == 201, saved.content
    body = saved.json()
    assert body["created"] is True
    assert [warning["path"] for warning in body["warnings"]] == ["steps[1].with.query"]
    assert "temp_max" in body["warnings"][0]["message"]


def test_an_unchanged_definition_creates_no_version(caller: Caller) -> None:
    definition = {"steps": [READ, _sql("SELECT city FROM weather")]}
    first = caller.post(PIPELINES, {"name": "p", "definition": definition})
    turned = {"steps": [dict(reversed(step.items())) for step in definition["steps"]]}
    again = caller.post(
        PIPELINES, {"name": "p", "definition": turned}, headers={"If-Match": first["ETag"]}
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["created"], again.json()["version"]["number"]) == (False, 1)
    changed = caller.post(
        PIPELINES, {"name": "p", "definition": {"steps": [READ, _sql("SELECT day FROM weather")]}}
    )
    assert (changed.status_code, changed.json()["version"]["number"]) == (201, 2)
    older = caller.post(PIPELINES, {"name": "p", "definition": definition})
    assert (older.status_code, older.json()["version"]["number"]) == (201, 3), (
        "an older one again is a change"
    )
    assert (
        caller.post(
            PIPELINES, {"name": "p", "definition": definition}, headers={"If-Match": '"1"'}
        ).status_code
        == 412
    )
    assert PipelineVersion.objects.filter(pipeline__name="p").count() == 3


def test_a_type_that_no_table_can_have_is_not_checked_and_no_error(caller: Caller) -> None:
    from projects.models import Project

    odd = [
        {"name": "a", "type": "INTEGER); DROP TABLE x; --"},
        {"name": 'b"c', "type": "NOSUCHTYPE"},
    ]
    make.dataset_version(Project.objects.get(slug="demo"), "odd", schema=odd)
    found = _check(
        caller, {"id": "o", "uses": "read", "with": {"dataset": "odd"}}, _sql("SELECT a FROM o")
    )
    assert (found["valid"], [step["status"] for step in found["steps"]]) == (
        True,
        ["not_checked", "not_checked"],
    )


_KINDS = [
    "HUGEINT",
    "UHUGEINT",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "BIT",
    "ENUM('a')",
    "DECIMAL(18,3)",
    "TIMESTAMP_NS",
    "UUID",
    "JSON",
]


@pytest.mark.parametrize("kind", _KINDS)
def test_a_type_becomes_what_a_table_between_steps_has(kind: str, tmp_path: Any) -> None:
    """Write and read the table as the worker does."""
    import duckdb

    path = tmp_path / "x.parquet"
    cast = (
        f"CAST(NULL AS {kind})"
        if "HUGEINT" not in kind
        else f"CAST(CAST(NULL AS {kind}) AS BIGINT)"
    )
    duckdb.execute(f"COPY (SELECT {cast} AS x) TO '{path}' (FORMAT parquet)")
    read = duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()[0][1]
    assert binding._stored(kind) == read
