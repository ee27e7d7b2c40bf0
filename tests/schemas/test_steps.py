"""The registry of step types: complete, consistent, and served by the API."""

from importlib import import_module
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mimir.lib.schemas.pipeline import check_definition
from mimir.lib.schemas.references import DatasetReference, step_reference
from mimir.lib.schemas.stephelp import step_help
from mimir.lib.schemas.steps import STEP_TYPES, queries
from mimir.lib.schemas.steptype import Columns, Makes, StepType

FORMATS = {None, "dataset", "version", "table", "sql", "new-tables", "argv", "uri"}
TYPES = pytest.mark.parametrize("step_type", STEP_TYPES.values(), ids=STEP_TYPES.keys())


@TYPES
def test_a_step_type_has_a_function_in_the_worker(step_type: StepType) -> None:
    assert callable(import_module(f"jobs.worker.pipelines.steps.{step_type.name}").execute)


@TYPES
def test_the_fields_of_a_step_type_are_a_closed_json_schema(step_type: StepType) -> None:
    Draft202012Validator.check_schema(step_type.fields)
    assert step_type.fields["additionalProperties"] is False
    assert set(step_type.fields["required"]) <= set(step_type.properties)
    for schema in step_type.properties.values():
        assert schema["title"]
        assert schema["description"].endswith(".")
        assert schema.get("format") in FORMATS


@TYPES
def test_the_example_of_a_step_type_is_accepted(step_type: StepType) -> None:
    table = {"id": "weather", "uses": "read", "with": {"dataset": "weather"}}
    other = {"id": "by_month", "uses": "sql", "with": {"query": "SELECT 1"}}
    step = {"id": "example", "uses": step_type.name, "with": step_type.example}
    assert check_definition({"steps": [table, other, step]}) == []


@TYPES
def test_a_step_type_declares_its_tables_and_their_columns(step_type: StepType) -> None:
    assert (step_type.makes is Makes.DECLARED) == bool(step_type.names("new-tables"))
    assert (step_type.columns is Columns.QUERY) == bool(step_type.names("sql"))
    if step_type.columns is Columns.DATASET:
        assert step_type.dataset_field("read") is not None
    if step_type.columns is Columns.SOURCE:
        assert step_type.names("table")
    if step_type.columns is Columns.RUN and step_type.makes is not Makes.NOTHING:
        assert step_type.unchecked


def test_help_names_every_field() -> None:
    found = {step["name"]: {field["name"] for field in step["fields"]} for step in step_help()}
    assert found == {name: set(step.properties) for name, step in STEP_TYPES.items()}


@pytest.mark.parametrize(
    ("step", "reference"),
    [
        (
            {"id": "a", "uses": "read", "with": {"dataset": "d", "version": 2}},
            DatasetReference("a", "d", 2, "read"),
        ),
        (
            {"id": "a", "uses": "write", "with": {"dataset": "d", "from": "b"}},
            DatasetReference("a", "d", None, "write"),
        ),
        ({"id": "a", "uses": "read", "with": {"url": "http://h/x"}}, None),
        ({"id": "a", "uses": "read", "with": {"dataset": 5}}, None),
        ({"id": 1, "uses": "read", "with": {"dataset": "d"}}, None),
        ({"id": "a", "uses": ["read"], "with": {"dataset": "d"}}, None),
        ({"id": "a", "uses": "read", "with": []}, None),
        ("text", None),
    ],
)
def test_the_dataset_of_a_step_is_found(step: Any, reference: DatasetReference | None) -> None:
    assert step_reference(step) == reference


@pytest.mark.parametrize("definition", [None, [], {"steps": None}, {"steps": [None, {"uses": 5}]}])
def test_a_malformed_definition_has_no_queries(definition: Any) -> None:
    assert list(queries(definition)) == []


def test_queries_are_found_with_their_paths() -> None:
    steps = [
        {"id": "a", "uses": "read", "with": {"dataset": "d"}},
        {"id": "b", "uses": "sql", "with": {"query": "SELECT 1"}},
    ]
    assert list(queries({"steps": steps})) == [("steps[1].with.query", "SELECT 1")]


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"a": ["b"], "b": ["a"]}, "a → b → a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "b → c → b"),
        ({"z": [], "c": ["z", "b"], "b": ["d"], "d": ["c"]}, "c → b → d → c"),
    ],
)
def test_a_circular_dependency_is_shown_from_its_first_step(
    needs: dict[str, list[str]], message: str
) -> None:
    steps = [
        {"id": name, "uses": "sql", "with": {"query": "SELECT 1"}, "needs": others}
        for name, others in needs.items()
    ]
    [fault] = check_definition({"steps": steps})
    assert fault.path == f"steps[{list(needs).index(message[0])}].needs"
    assert fault.message == f"is a circular dependency: {message}"
