"""Values, sources and changes of twins on the pages."""

from typing import Any

import pytest

from mimir.frontend.pages.twins.entity_views import _given
from mimir.frontend.pages.twins.present import (
    columns,
    diff_row,
    entity_row,
    entity_url,
    revision_row,
    state_row,
    touched,
    typed,
    value_row,
    value_shown,
)
from mimir.frontend.pages.twins.views import example
from mimir.lib.schemas.twin import check_twin_definition

DEFINITION: Any = {
    "types": [
        {
            "name": "station",
            "key": {"name": "id"},
            "properties": [
                {"name": "temperature", "title": "Temperature", "type": "number", "unit": "°C"},
                {"name": "open", "type": "boolean"},
            ],
            "relations": [{"name": "city", "to": "city"}],
        },
        {"name": "city", "key": {"name": "name"}, "properties": []},
    ]
}
WHERE = {"slug": "demo", "twin": "stations"}


def _source(revision: int, kind: str = "update", **fields: Any) -> Any:
    dataset = {"name": "readings", "version": 3} if kind == "update" else None
    job = "0192f0aa-1111-7000-8000-0000e31b7c90" if kind == "update" else None
    at = f"2026-11-23T14:{revision:02d}:00+00:00"
    return {
        "revision": revision,
        "kind": kind,
        "at": at,
        "by": None,
        "note": "",
        "job": job,
        "dataset": dataset,
        **fields,
    }


def _change(
    revision: int,
    name: str,
    value: Any,
    layer: str = "reported",
    present: bool = True,
    **fields: Any,
) -> Any:
    return {
        "property": name,
        "layer": layer,
        "present": present,
        "value": value,
        **_source(revision, **fields),
    }


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (1461, "integer", "1,461"),
        (47.6143151234, "number", "47.6143"),
        (20.0, "number", "20"),
        (1e300, "number", "1e+300"),
        (True, "boolean", "yes"),
        (False, "boolean", "no"),
        ("2026-11-23T14:02:44+00:00", "datetime", "2026-11-23 14:02:44 UTC"),
        ("2026-11-23", "date", "2026-11-23"),
        ("photo\u202egpj.exe", "string", "photo⟨U+202E⟩gpj.exe"),
    ],
)
def test_values_are_shown_by_their_type(value: Any, kind: str, shown: str) -> None:
    assert value_shown(value, kind)["text"] == shown


def test_the_omitted_text_of_a_cell_is_in_its_title() -> None:
    assert value_shown(47.61431512345678)["whole"] == "47.61431512345678"
    assert value_shown(1.5)["whole"] == ""
    long = value_shown("x" * 500, "string")
    assert (len(long["text"]), long["whole"]) == (121, "x" * 500)


def test_no_value_differs_from_an_empty_one() -> None:
    assert value_shown(None)["null"] is True
    assert value_shown("", "string")["null"] is False
    assert value_shown(0, "number", "°C") == {"text": "0", "unit": "°C", "null": False, "whole": ""}


def test_a_key_with_any_character_links_to_its_entity() -> None:
    url = entity_url("demo", "stations", "station", "a/b?c=d&e#f ü")
    assert (
        url == "/projects/demo/twins/stations/entity/?type=station&key=a%2Fb%3Fc%3Dd%26e%23f+%C3%BC"
    )


def test_columns_are_properties_then_relations() -> None:
    assert [
        (one["name"], one["title"], one["unit"], one["to"])
        for one in columns(DEFINITION, "station")
    ] == [
        ("temperature", "Temperature", "°C", ""),
        ("open", "open", "", ""),
        ("city", "city", "", "city"),
    ]


def test_an_edited_cell_is_marked_and_a_relation_is_a_link() -> None:
    row = {
        "type": "station",
        "key": "A",
        "status": "present",
        "changed_revision": 4,
        "values": {"open": False, "city": "Oslo"},
        "overlay": ["open"],
    }
    cells = entity_row(row, columns(DEFINITION, "station"), **WHERE)["cells"]
    assert [(cell["text"], cell["null"], cell["edited"], cell["right"]) for cell in cells] == [
        ("", True, False, True),
        ("no", False, True, False),
        ("Oslo", False, False, False),
    ]
    assert cells[2]["url"] == "/projects/demo/twins/stations/entity/?type=city&key=Oslo"


def test_in_an_older_state_edits_override_reported_values() -> None:
    row = state_row(
        {
            "type": "station",
            "key": "A",
            "status": "present",
            "reported": {"temperature": 1.5, "open": True},
            "overlay": {"open": False},
        }
    )
    assert (row["values"], row["overlay"]) == ({"temperature": 1.5, "open": False}, ["open"])


def test_an_edited_value_names_its_user_reason_and_reported_value() -> None:
    value: Any = {
        "property": "open",
        "title": "",
        "type": "boolean",
        "unit": "",
        "to": "",
        "value": False,
        "reported": True,
    }
    value |= {
        "source": _source(3),
        "overlay": {"value": False, **_source(4, "edit", by="ines", note="dock 4 broken")},
    }
    row = value_row(value, **WHERE)
    assert (row["edited"], row["shown"]["text"], row["reported"]["text"]) == (True, "no", "yes")
    assert (row["source"]["by"], row["source"]["note"]) == ("ines", "dock 4 broken")
    assert (row["below"]["dataset"], row["below"]["dataset_url"]) == (
        "readings v3",
        "/projects/demo/datasets/readings/?version=3",
    )


@pytest.mark.parametrize(
    ("kind", "counts", "word", "text"),
    [
        ("update", (2, 0, 1), "Update", "2 new, 1 removed"),
        ("edit", (0, 1, 0), "Edit by ines", "1 changed"),
        ("definition", (0, 0, 0), "Definition 7 by ines", "the definition"),
        ("update", (0, 1461, 0), "Update", "1,461 changed"),
    ],
)
def test_a_revision_names_its_source_and_its_changes(
    kind: str, counts: tuple[int, int, int], word: str, text: str
) -> None:
    row: Any = {
        "number": 9,
        "definition_number": 7,
        **dict(zip(("created", "changed", "removed"), counts, strict=True)),
        **_source(9, kind, by="ines"),
    }
    shown = revision_row(row, "demo")
    assert (shown["word"], shown["counts"]) == (word, text)


def test_a_diff_has_old_and_new_values_with_the_type_of_the_property() -> None:
    fields: Any = [
        {"layer": "reported", "property": "open", "old": None, "new": True},
        {"layer": "overlay", "property": "temperature", "old": 2.5, "new": None},
        {"layer": "status", "property": "", "old": "present", "new": "missing"},
    ]
    row = diff_row(
        {"type": "station", "key": "A", "change": "changed", "fields": fields},
        definition=DEFINITION,
        **WHERE,
    )
    assert row["word"] == "Changed"
    assert [
        (one["title"], one["old"]["text"], one["new"]["text"], one["edit"]) for one in row["fields"]
    ] == [
        ("open", "", "yes", False),
        ("Temperature", "2.5", "", True),
        ("status", "present", "missing", False),
    ]


def test_revisions_of_an_entity_hold_the_value_before() -> None:
    history = [
        _change(4, "open", None, "overlay", present=False, kind="edit", by="ines"),
        _change(3, "temperature", 11.5),
        _change(3, "open", False, "overlay", kind="edit", by="ines"),
        _change(1, "temperature", 9.0),
    ]
    text = touched(history, [], complete=True)
    assert [
        (
            one["number"],
            [(f["title"], f["old"]["text"], f["new"]["text"], f["edit"]) for f in one["fields"]],
        )
        for one in text
    ] == [
        (4, [("open", "no", "", True)]),
        (3, [("temperature", "9", "11.5", False), ("open", "", "no", True)]),
        (1, [("temperature", "", "9", False)]),
    ]


def test_a_truncated_history_does_not_claim_that_there_was_no_earlier_value() -> None:
    history = [_change(8, "temperature", 3.0), _change(7, "temperature", 2.0)]
    text = touched(history, [], complete=False)
    assert [one["fields"][0]["known"] for one in text] == [True, False]
    assert [one["fields"][0]["known"] for one in touched(history, [], complete=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "kind", "given"),
    [
        ("12", "number", 12),
        ("12.5", "number", 12.5),
        ("-1e3", "number", -1000.0),
        ("nan", "number", "nan"),
        ("1e999", "number", "1e999"),
        ("9" * 400, "integer", int("9" * 400)),
        ("warm", "number", "warm"),
        ("true", "boolean", True),
        ("maybe", "boolean", "maybe"),
        ("12", "string", "12"),
        ("2026-03-31", "date", "2026-03-31"),
    ],
)
def test_typed_text_becomes_a_value_of_its_type_or_is_left_for_the_api_to_reject(
    text: str, kind: str, given: Any
) -> None:
    columns = _given(text, kind)
    assert (columns, type(columns)) == (given, type(given))


@pytest.mark.parametrize("value", [12, 12.5, -0.1, True, False, "Oslo", "2026-03-31"])
def test_an_edit_that_is_not_touched_is_read_back_as_it_was(value: Any) -> None:
    kind = {bool: "boolean", int: "integer", float: "number", str: "string"}[type(value)]
    assert _given(typed(value), kind) == value


def test_the_example_of_a_dataset_is_a_definition_that_can_be_used() -> None:
    columns: Any = [
        {"name": "day", "type": "DATE"},
        {"name": "station_id", "type": "BIGINT"},
        {"name": "wind speed", "type": "DOUBLE"},
        {"name": "t", "type": "DECIMAL(10,2)"},
        {"name": "ok", "type": "BOOLEAN"},
        {"name": "at", "type": "TIMESTAMP WITH TIME ZONE"},
        {"name": "word", "type": "VARCHAR"},
    ]
    definition = example("2026-readings.v2", columns)
    assert check_twin_definition(definition) == []
    kind = definition["types"][0]
    assert (kind["name"], kind["key"]["name"]) == ("t_2026_readings_v2", "station_id")
    assert {one["name"]: one["type"] for one in kind["properties"]} == {
        "day": "date",
        "t": "number",
        "ok": "boolean",
        "at": "datetime",
        "word": "string",
    }


@pytest.mark.parametrize("dataset", ["", "---", "9", "a" * 200, "ünïcode"])
def test_the_example_of_any_dataset_can_be_used(dataset: str) -> None:
    tables: Any = (
        [],
        [{"name": "n", "type": "HUGEINT"}],
        [{"name": "with space", "type": "VARCHAR"}],
    )
    for listed in tables:
        assert check_twin_definition(example(dataset, listed)) == []
