"""Values of a form: texts are parsed by the schema, and a request is preserved by the form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.types.registry import SPECS, check_parameters
from mimir.frontend import schema_form
from mimir.frontend.pages.submit import request_schema
from mimir.lib import sample
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.schema_types import JsonSchema

MIXED: dict[str, Any] = {
    "anyOf": [{"type": "string", "enum": ["sqrt"]}, {"type": "number"}, {"type": "null"}],
    "x-choices": ["sqrt", 0.5],
}
READ: dict[str, tuple[dict[str, Any], dict[str, list[str]], Any]] = {
    "nothing": ({"type": "string"}, {}, schema_form.OMITTED),
    "an empty text": ({"type": "string"}, {"p": ["  "]}, schema_form.OMITTED),
    "a text": ({"type": "string"}, {"p": [" it "]}, "it"),
    "a column's name with its spaces": (
        {"type": "string", "format": "column"},
        {"p": [" it "]},
        " it ",
    ),
    "a whole number": ({"type": "integer"}, {"p": ["12"]}, 12),
    "no whole number": ({"type": "integer"}, {"p": ["1.5"]}, "1.5"),
    "digits that are none of ours": ({"type": "integer"}, {"p": ["１２"]}, "１２"),
    "a number": ({"type": "number"}, {"p": ["1e-3"]}, 0.001),
    "a number without a point": ({"type": "number"}, {"p": ["1"]}, 1.0),
    "no number": ({"type": "number"}, {"p": ["0,5"]}, "0,5"),
    "infinity is no number": ({"type": "number"}, {"p": ["inf"]}, "inf"),
    "the default": ({"type": "integer", "default": 7}, {"p": ["7"]}, schema_form.OMITTED),
    "the default, written in another way": (
        {"type": "number", "default": 1.0},
        {"p": ["1"]},
        schema_form.OMITTED,
    ),
    "null where the default is another": (
        {"type": ["integer", "null"], "default": 31},
        {"p": [""]},
        None,
    ),
    "null where it is the default": (
        {"type": ["integer", "null"], "default": None},
        {"p": [""]},
        schema_form.OMITTED,
    ),
    "a tick": ({"type": "boolean", "default": False}, {"p": ["false", "true"]}, True),
    "no tick": ({"type": "boolean", "default": True}, {"p": ["false"]}, False),
    "one of mixed values": (
        {"enum": ["sqrt", 0.5, None], "type": ["string", "number", "null"]},
        {"p": ["0.5"]},
        0.5,
    ),
    "one of several types": (MIXED, {"p": ["sqrt"]}, "sqrt"),
    "a number of several types": (MIXED, {"p": ["0.3"]}, 0.3),
    "null of several types": ({**MIXED, "default": "sqrt"}, {"p": [""]}, None),
    "none of several types": (MIXED, {"p": ["root"]}, "root"),
    "none of them": ({"enum": ["a", "b"]}, {"p": ["c"]}, "c"),
    "a list": ({"type": "array"}, {"p": ["a", "b"]}, ["a", "b"]),
    "an empty list": ({"type": "array"}, {"p": [""]}, []),
    "none of a list but one": ({"type": "array"}, {"p": ["", "a"]}, ["a"]),
    "a list that is written": ({"type": "array"}, {"p.lines": ["a\n\n b \n"]}, ["a", "b"]),
    "an object with any names": (
        {"type": "object"},
        {"p.x": ["a"], "p.y": [""], "q.z": ["b"]},
        {"x": "a"},
    ),
    "pairs": (
        {"type": "object", "format": "pairs"},
        {"p": ["team = bikes\nrun\n"]},
        {"team": "bikes", "run": ""},
    ),
    "a pair without a key": (
        {"type": "object", "format": "pairs"},
        {"p": ["=bikes"]},
        {"=bikes": ""},
    ),
}


@pytest.mark.parametrize("word", READ)
def test_typed_values_are_parsed_by_the_schema(word: str) -> None:
    schema, texts, expected = READ[word]
    found = schema_form.read(schema, texts, "p")
    assert (found, type(found)) == (expected, type(expected))


REQUESTS: list[dict[str, Any]] = [
    *sample.JOBS,
    {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "p", "version": 3},
        "name": "it's mine",
        "labels": {"team": "bikes", "run": ""},
    },
    {
        "type": "ml_training",
        "parameters": {
            "dataset": "trips",
            "version": 2,
            "target": " rides ",
            "model": "demand",
            "task": "classification",
            "algorithm": "logistic",
            "hyperparameters": {"C": 0.5, "fit_intercept": False, "class_weight": "balanced"},
            "test_size": 0.5,
            "seed": 42,
        },
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 1},
    },
    {
        "type": "ml_inference",
        "parameters": {
            "model": "demand",
            "version": 1,
            "dataset": "trips",
            "output": "tomorrow",
            "keys": [],
        },
    },
    {
        "type": "digital_twin_update",
        "parameters": {
            "twin": "s",
            "dataset": "t",
            "type": "station",
            "key": "id",
            "missing": "mark",
        },
        "priority": "high",
        "timeout_seconds": 77,
        "max_attempts": 2,
    },
]


@pytest.mark.parametrize(
    "request_", REQUESTS, ids=lambda one: f"{one['type']}-{len(one['parameters'])}"
)
def test_a_request_survives_the_form_except_for_defaults(
    request_: dict[str, Any],
) -> None:
    texts = request_schema.texts_of_request(request_["type"], request_)
    defaults = {
        name: schema.get("default")
        for name, schema in SPECS[request_["type"]].parameters["properties"].items()
    }
    parameters = {
        name: value for name, value in request_["parameters"].items() if value != defaults[name]
    }
    assert request_schema.body_of(request_["type"], texts) == {**request_, "parameters": parameters}


def _value(schema: JsonSchema) -> st.SearchStrategy[Any]:
    if "anyOf" in schema:
        return st.sampled_from([*schema["x-choices"], None]) | st.floats(0.01, 1.0)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    low, high = schema["minimum"], schema["maximum"]
    none = st.none() if "null" in schema["type"] else st.nothing()
    return (
        st.floats(low, high) if schema["type"] == "number" else st.integers(int(low), int(high))
    ) | none


@given(data=st.data())
def test_any_hyperparameters_come_back_or_are_the_defaults(data: st.DataObject) -> None:
    algorithm = data.draw(st.sampled_from(list(HYPERPARAMETERS)))
    properties = HYPERPARAMETERS[algorithm]["properties"]
    given = {name: data.draw(_value(schema)) for name, schema in properties.items()}
    parameters = {
        "dataset": "d",
        "target": "t",
        "model": "m",
        "algorithm": algorithm,
        "hyperparameters": given,
    }
    texts = request_schema.texts_of_request("ml_training", {"parameters": parameters})
    read = request_schema.body_of("ml_training", texts)["parameters"]
    assert check_parameters("ml_training", read) == []
    defaults = {name: schema["default"] for name, schema in properties.items()}
    assert {**defaults, **read.get("hyperparameters", {})} == {**defaults, **given}
