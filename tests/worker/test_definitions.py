"""Pipeline definitions and job parameters.

Refusals with the path of the invalid field, and dependencies between steps.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.types.registry import check_parameters
from mimir.lib.schemas.pipeline import check_definition, graph, steps_in_order
from mimir.lib.schemas.references import dataset_references
from mimir.lib.schemas.sqlparser import BadQuery, parse_query, without_end

READ = {"id": "a", "uses": "read", "with": {"dataset": "numbers"}}
WRITE = {"id": "w", "uses": "write", "with": {"dataset": "out", "from": "a"}}


def _step(uses: str, identifier: str = "x", **options: Any) -> dict[str, Any]:
    return {"id": identifier, "uses": uses, "with": options}


def _sql(query: str, identifier: str = "x") -> dict[str, Any]:
    return _step("sql", identifier, query=query)


def _faults(*steps: Any) -> dict[str, str]:
    return {fault.path: fault.message for fault in check_definition({"steps": list(steps)})}


@pytest.mark.parametrize(
    "definition",
    [None, [], "x", {}, {"steps": {}}, {"steps": []}, {"steps": [READ] * 201}, {"steps": None}],
    ids=str,
)
def test_an_invalid_list_of_steps_is_refused(definition: Any) -> None:
    assert [fault.path for fault in check_definition(definition)] == ["steps"]


def test_a_field_nobody_knows_is_refused() -> None:
    assert [fault.path for fault in check_definition({"steps": [READ], "name": "x"})] == ["name"]


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("text", "steps[0]"),
        ({**READ, "id": "1a"}, "steps[0].id"),
        ({**READ, "id": "a b"}, "steps[0].id"),
        ({**READ, "id": "a\n"}, "steps[0].id"),
        ({**READ, "id": "a" * 64}, "steps[0].id"),
        ({**READ, "id": 5}, "steps[0].id"),
        ({**READ, "uses": "shell"}, "steps[0].uses"),
        ({**READ, "uses": ["read"]}, "steps[0].uses"),
        ({**READ, "with": None}, "steps[0].with"),
        ({**READ, "needs": "b"}, "steps[0].needs"),
        ({**READ, "when": "now"}, "steps[0].when"),
        (_step("read"), "steps[0].with"),
        (_step("read", dataset="n", url="http://h/x"), "steps[0].with"),
        (_step("read", dataset="../n"), "steps[0].with.dataset"),
        (_step("read", dataset="n", version=0), "steps[0].with.version"),
        (_step("read", dataset="n", version=True), "steps[0].with.version"),
        (_step("read", dataset="n", format="csv"), "steps[0].with.format"),
        (_step("read", url="ftp://h/x"), "steps[0].with.url"),
        (_step("read", url="file:///etc/passwd"), "steps[0].with.url"),
        (_step("read", url="http:///x"), "steps[0].with.url"),
        (_step("read", url="http://u:p@h/x"), "steps[0].with.url"),
        (_step("read", url="http://h/x y"), "steps[0].with.url"),
        (_step("read", url="http://[::1"), "steps[0].with.url"),
        (_step("read", url="http://h:99999/"), "steps[0].with.url"),
        (_step("read", url=7), "steps[0].with.url"),
        (_step("read", url="http://h/x", version=1), "steps[0].with.version"),
        (_step("read", url="http://h/x", format="xlsx"), "steps[0].with.format"),
        (_step("sql"), "steps[0].with.query"),
        (_step("sql", query="SELECT 1", table="x"), "steps[0].with.table"),
        (_sql("SELECT * FROM nowhere"), "steps[0].with.query"),
        (_sql("SELECT * FROM x"), "steps[0].with.query"),
        (_step("write", dataset="out"), "steps[0].with.from"),
        (_step("write", **{"dataset": "out", "from": "nowhere"}), "steps[0].with.from"),
        (_step("command", argv=[]), "steps[0].with.argv"),
        (_step("command", argv="echo"), "steps[0].with.argv"),
        (_step("command", argv=["echo", 5]), "steps[0].with.argv[1]"),
        (_step("command", argv=["echo", "a\x00b"]), "steps[0].with.argv[1]"),
        (_step("command", argv=[""]), "steps[0].with.argv[0]"),
        (_step("command", argv=["x"], shell=True), "steps[0].with.shell"),
    ],
)
def test_a_bad_step_is_refused_at_its_field(step: Any, path: str) -> None:
    faults = _faults(step)
    assert list(faults) == [path]
    assert faults[path]


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([READ, {**READ, "id": "A"}], "steps[1].id"),
        ([READ, WRITE, {**WRITE, "id": "v"}], "steps[2].with.dataset"),
        ([READ, WRITE, _sql("SELECT * FROM w")], "steps[2].with.query"),
        ([READ, {**READ, "id": "b", "needs": ["nowhere"]}], "steps[1].needs[0]"),
        ([READ, {**READ, "id": "b", "needs": ["a", "b"]}], "steps[1].needs[1]"),
        ([_sql("SELECT * FROM y"), _sql("SELECT * FROM x", "y")], "steps[0].needs"),
        ([{**READ, "needs": ["b"]}, {**READ, "id": "b", "needs": ["a"]}], "steps[0].needs"),
        (
            [
                READ,
                {**_step("command", "c", argv=["x"]), "needs": ["q"]},
                _sql("SELECT 1", "q") | {"needs": ["c"]},
            ],
            "steps[1].needs",
        ),
    ],
)
def test_incompatible_steps_are_refused_at_their_field(steps: list[Any], path: str) -> None:
    assert list(_faults(*steps)) == [path]


@pytest.mark.parametrize(
    "query",
    [
        "", "  ", "-- nothing", "SELECT 1; SELECT 2", "CREATE TABLE x AS SELECT 1", "INSERT INTO a VALUES (1)", "DELETE FROM a", "DROP TABLE a",  # noqa: E501
        "ATTACH '/tmp/x.db'", "COPY a TO '/tmp/x'", "COPY (SELECT 1) TO '/tmp/x'", "INSTALL httpfs", "LOAD httpfs", "PRAGMA version", "SET threads=1",  # noqa: E501
        "RESET threads", "CALL pragma_version()", "EXPORT DATABASE '/tmp/x'", "EXPLAIN SELECT 1", "BEGIN", "SELECT", "SELECT FROM",  # noqa: E501
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_csv_auto('/etc/passwd')", "SELECT * FROM read_parquet('/x')",  # noqa: E501
        "SELECT * FROM parquet_scan('/x')", "SELECT * FROM read_json('/x')", "SELECT * FROM read_text('/etc/passwd')",  # noqa: E501
        "SELECT * FROM read_blob('/x')", "PIVOT a ON x USING sum(y)",
        "SELECT * FROM glob('/*')", "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('a')", "SELECT * FROM sniff_csv('/x')",  # noqa: E501
        "SELECT * FROM parquet_metadata('/x')", "SELECT * FROM duckdb_settings()",
        "SELECT * FROM pragma_database_list()", "SELECT * FROM duckdb_secrets()",
        "WITH q AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM q", "SELECT (SELECT max(content) FROM read_text('/etc/passwd'))",  # noqa: E501
        "SELECT 1 WHERE EXISTS (SELECT * FROM glob('/*'))", "SELECT * FROM a, LATERAL (SELECT * FROM read_text(a.path))",  # noqa: E501
        "SELECT * FROM information_schema.tables", "SELECT * FROM other.main.t", "SELECT * FROM pg_catalog.pg_class", "SELECT '\x00'",  # noqa: E501
    ],
)  # fmt: skip
def test_sql_that_is_not_one_select_over_tables_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        parse_query(query)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "/etc/*.csv",
        "http://169.254.169.254/x.csv",
        "s3://bucket/x.parquet",
        "a.parquet",
    ],
)
def test_a_file_in_the_place_of_a_table_is_a_table_that_is_not_there(name: str) -> None:
    assert _faults(_sql(f"SELECT * FROM '{name}'")) == {
        "steps[0].with.query": f"names {name}, which is not another step"
    }
    assert list(_faults(_sql(f"SELECT * FROM (SUMMARIZE '{name}')"))) == ["steps[0].with.query"]


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT 1", ()),
        ("SELECT * FROM a", ("a",)),
        ("FROM a", ("a",)),
        ("SELECT * FROM a JOIN B USING (x) WHERE y IN (SELECT y FROM c)", ("a", "B", "c")),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a", ("b",)),
        ("SELECT * FROM a UNION ALL SELECT * FROM A", ("a",)),
        ("SELECT * FROM range(10)", ()),
        ("SELECT * FROM (PIVOT a ON x IN (1, 2) USING sum(y))", ("a",)),
        ("SELECT * FROM main.a", ("a",)),
    ],
)
def test_a_query_reads_the_tables_it_names(query: str, tables: tuple[str, ...]) -> None:
    assert parse_query(query).tables == tables


@pytest.mark.parametrize(
    ("query", "bare"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 'é;' ;; -- größer;\n", "SELECT 'é;' "),
        ("SELECT 1 -- a; b", "SELECT 1 -- a; b"),
        ("SELECT ';' /* ; */ ; /* end */", "SELECT ';' /* ; */ "),
    ],
)
def test_the_end_of_a_query_is_not_part_of_it(query: str, bare: str) -> None:
    assert without_end(query) == bare


def test_steps_run_after_what_they_need_and_otherwise_as_they_stand() -> None:
    steps = [
        _sql("SELECT * FROM A JOIN b ON true", "joined"),
        READ,
        {**READ, "id": "b", "needs": ["first"]},
        _step("command", "first", argv=["x"]) | {"needs": []},
        _step("command", "all", argv=["x"]),
        {**WRITE, "with": {"dataset": "out", "from": "joined"}},
    ]
    definition: Any = {"steps": steps}
    assert check_definition(definition) == []
    assert [step.id for step in steps_in_order(definition)] == [
        "a",
        "first",
        "b",
        "joined",
        "all",
        "w",
    ]
    needs = {step.id: set(step.needs) for step in steps_in_order(definition)}
    assert needs == {
        "a": set(),
        "first": set(),
        "b": {"first"},
        "joined": {"a", "b"},
        "all": {"joined", "a", "b", "first"},
        "w": {"joined"},
    }
    assert ["a", "joined"] in graph(definition)["edges"]


def test_the_datasets_a_definition_reads_are_found() -> None:
    steps = [
        READ,
        _step("read", "b", dataset="other", version=3),
        _step("read", "c", url="http://h/x"),
    ]
    assert dataset_references({"steps": steps}) == [("a", "numbers", None), ("b", "other", 3)]


_field = st.sampled_from(["id", "uses", "with", "needs", "query", "argv", "dataset", "from", "url"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_field, inner, max_size=4),
    max_leaves=8,
)
_uses = st.sampled_from(["read", "sql", "write", "command"]) | _json


@given(st.lists(st.fixed_dictionaries({"id": _json, "uses": _uses, "with": _json}), max_size=3))
def test_no_definition_breaks_the_check(steps: list[Any]) -> None:
    for fault in check_definition({"steps": steps}):
        assert fault.path.startswith("steps")


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        (None, "parameters"),
        ([], "parameters"),
        ({}, "parameters.pipeline"),
        ({"pipeline": 5}, "parameters.pipeline"),
        ({"pipeline": ""}, "parameters.pipeline"),
        ({"pipeline": "p", "version": 0}, "parameters.version"),
        ({"pipeline": "p", "version": "1"}, "parameters.version"),
        ({"pipeline": "p", "version": True}, "parameters.version"),
        ({"pipeline": "p", "version": 2**31}, "parameters.version"),
        ({"pipeline": "p", "input": {}}, "parameters.input"),
    ],
)
def test_wrong_parameters_are_refused_at_their_field(parameters: Any, path: str) -> None:
    assert [fault.path for fault in check_parameters("pipeline_execution", parameters)] == [path]


def test_right_parameters_have_no_fault() -> None:
    assert check_parameters("pipeline_execution", {"pipeline": "p", "version": 2}) == []
