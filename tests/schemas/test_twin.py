"""Twin definitions, and the conversion of values to a twin's types."""

import copy
from typing import Any

import pytest

from mimir.lib.schemas.twin import (
    BadValue,
    Field,
    check_twin_definition,
    checked_key,
    checked_value,
    entity_type,
    fields_of,
)
from mimir.lib.schemas.twin_types import CheckedTwinDefinition

GOOD: CheckedTwinDefinition = {
    "types": [
        {
            "name": "station",
            "title": "Station",
            "key": {"name": "station_id"},
            "properties": [
                {"name": "temperature", "type": "number", "unit": "°C"},
                {"name": "open", "type": "boolean"},
            ],
            "relations": [{"name": "city", "to": "city"}],
        },
        {"name": "city", "key": {"name": "name"}, "properties": []},
    ]
}


def _with(path: list[Any], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(GOOD)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert isinstance(changed, dict)
    return changed


BAD: list[tuple[Any, str, str]] = [
    ([], "definition", "an object"),
    ({}, "definition.types", "is missing"),
    ({"types": []}, "definition.types", "at least 1 entry"),
    (
        _with(["types", 0, "name"], "two words"),
        "definition.types[0].name",
        "letters, digits and underscores",
    ),
    (
        _with(["types", 1, "name"], "station"),
        "definition.types[1].name",
        "already the name of another type",
    ),
    (_with(["types", 0, "key"], {}), "definition.types[0].key.name", "is missing"),
    (
        _with(["types", 0, "properties", 0, "type"], "float"),
        "definition.types[0].properties[0].type",
        "number, integer, string",
    ),
    (
        _with(["types", 0, "properties", 1, "name"], "temperature"),
        "definition.types[0].properties[1].name",
        "already the name of another property",
    ),
    (
        _with(["types", 0, "relations", 0, "name"], "open"),
        "definition.types[0].relations[0].name",
        "already the name of another property",
    ),
    (
        _with(["types", 0, "relations", 0, "to"], "land"),
        "definition.types[0].relations[0].to",
        "one of the types station, city",
    ),
    (_with(["types", 0, "colour"], "red"), "definition.types[0].colour", "is not a known field"),
]


def test_a_valid_definition_has_no_fault_and_its_fields_are_in_order() -> None:
    assert check_twin_definition(GOOD) == []
    station = entity_type(GOOD, "station")
    assert station is not None
    assert list(fields_of(station)) == ["temperature", "open", "city"]
    assert fields_of(station)["city"] == Field("city", "relation", to="city")
    assert entity_type(GOOD, "land") is None


@pytest.mark.parametrize(("definition", "path", "text"), BAD)
def test_a_fault_of_a_definition_is_named(definition: Any, path: str, text: str) -> None:
    faults = {fault.path: fault.message for fault in check_twin_definition(definition)}
    assert text in faults.get(path, ""), faults


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("number", 3, 3),
        ("number", 2.5, 2.5),
        ("number", 1e23, 10**23),
        ("number", -1.5e300, -15 * 10**299),
        ("integer", 4.0, 4),
        ("integer", -(2**63), -(2**63)),
        ("string", "ä", "ä"),
        ("boolean", False, False),
        ("date", "2026-03-31", "2026-03-31"),
        ("datetime", "2026-03-31T14:05:00", "2026-03-31T14:05:00+00:00"),
        ("datetime", "2026-03-31T14:05:00+02:00", "2026-03-31T12:05:00+00:00"),
        ("relation", 17, "17"),
    ],
)
def test_a_value_is_converted_to_the_type_of_the_twin(kind: str, given: Any, kept: Any) -> None:
    found = checked_value(Field("x", kind), given)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "given", "text"),
    [
        ("number", "3", "a number"),
        ("number", True, "a number"),
        ("number", float("nan"), "a number"),
        ("number", float("-inf"), "a number"),
        ("number", 10**400, "a number"),
        ("integer", 2.5, "a whole number"),
        ("number", "21,5", "must be a number. Use a point: 21.5"),
        ("integer", " 21,0", "must be a whole number. Use a point: 21.0"),
        ("integer", 2**63, "a whole number"),
        ("string", 3, "text"),
        ("string", "a\x00", "text"),
        ("string", "a\ud800", "text"),
        ("string", "x" * 10_001, "at most 10000"),
        ("boolean", 1, "true or false"),
        ("date", "31.3.2026", "such as 2026-03-31"),
        ("datetime", "soon", "such as 2026-03-31T"),
        ("datetime", "0001-01-01T00:00:00+14:00", "between the years"),
        ("relation", "", "1 to 500"),
    ],
)
def test_an_invalid_value_is_reported_with_the_allowed_values(
    kind: str, given: Any, text: str
) -> None:
    with pytest.raises(BadValue, match=text.replace("(", r"\(")):
        checked_value(Field("x", kind), given)


@pytest.mark.parametrize("given", ["", "x" * 501, "a\x00b", "\udc00", 1.5, True, None])
def test_a_key_is_text_or_a_whole_number(given: Any) -> None:
    with pytest.raises(BadValue):
        checked_key(given)
