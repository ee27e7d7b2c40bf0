"""The rules of the fuzzer name existing operations, and its table omits nothing."""

import tomllib
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.fuzz.run import HERE, Row, row_of, table


def test_each_operation_of_the_rules_is_in_the_document() -> None:
    document = SchemaGenerator().get_schema(request=None, public=True)
    known = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    rules = tomllib.loads((HERE / "schemathesis.toml").read_text())
    listed = [rule.get("include-operation-id", []) for rule in rules["operations"]]
    named = {name for names in listed for name in ([names] if isinstance(names, str) else names)}
    assert named, "no rule names an operation"
    assert named - known == set()
    assert "exclude" not in str(rules)
    assert all(
        check.get("enabled", True) for check in rules["checks"].values() if isinstance(check, dict)
    )


_GOOD: dict[str, Any] = {
    "complete": True,
    "running_time": 9.6,
    "test_cases": {"generated": 7},
    "failures": [],
    "errors": [],
}
_FAILURE = {"type": "ServerError", "title": "Server error", "count": 2}


@pytest.mark.parametrize(
    ("report", "returncode", "violations", "is_good"),
    [
        (_GOOD, 0, {}, True),
        (_GOOD | {"failures": [_FAILURE]}, 1, {"Server error": 2}, False),
        (_GOOD | {"errors": [{}]}, 1, {"errors of schemathesis": 1}, False),
        (_GOOD | {"complete": False}, 0, {}, False),
        (_GOOD | {"test_cases": {"generated": 0}}, 0, {}, False),
        ({}, 2, {"exit code 2": 1}, False),
    ],
)
def test_a_run_is_good_only_if_it_completed_without_findings(
    report: dict[str, Any], returncode: int, violations: dict[str, int], is_good: bool
) -> None:
    row = row_of("viewer", report, returncode)
    assert (row.violations, row.is_good) == (violations, is_good)


def test_the_table_has_the_total_of_the_roles() -> None:
    lines = table(
        [
            Row("viewer", 10, 0, {}, 1.0, True),
            Row("maintainer", 5, 1, {"Server error": 1, "Other": 2}, 2.0, True),
        ]
    ).splitlines()
    assert lines[1].split() == ["viewer", "10", "0", "0", "1", "none"]
    assert lines[2].endswith("1 x Server error; 2 x Other")
    assert lines[3].split() == ["all", "15", "1", "3", "3"]
