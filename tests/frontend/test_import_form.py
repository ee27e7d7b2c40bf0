"""Import form.

Its fields are converted to options of the API, and a response of the API to its fields.
"""

from typing import Any

import pytest

from mimir.frontend.pages.imports.form import form_of
from mimir.frontend.pages.imports.option_fields import Select, with_labels
from mimir.frontend.pages.imports.posted_options import options_of, structure_of
from mimir.lib.reading.options import OPTION_NAMES


def upload(**fields: Any) -> Any:
    reading = {
        "format": "csv",
        "packing": "",
        "options": {
            "delimiter": ";",
            "quote": '"',
            "header_row": 1,
            "encoding": "utf-8",
            "decimal_mark": ",",
            "thousands_mark": "",
        },
        "columns": [{"name": "day", "type": "VARCHAR"}, {"name": "n", "type": "DOUBLE"}],
        "row_count": 2,
        "complete": True,
        "warnings": [
            {
                "code": "ambiguous_dates",
                "params": {"column": "day"},
                "message": "Column day stays text.",
            }
        ],
        "rows": [["01/02/2020", 1.5], ["03/04/2020", None]],
        "cells": [["01/02/2020", "1,5"], ["03/04/2020", "ERR"]],
        "lines": ["day;n"],
        "sheets": [],
        "lists": [],
    }
    return {"options": {}, "fault": "", "reading": reading, **fields}


def chosen(field: Any) -> tuple[str, str]:
    assert isinstance(field, Select)
    return next((value, label) for value, label, selected in field.options if selected)


def test_the_detected_value_is_shown_in_the_automatic_choice() -> None:
    form = form_of(upload(), {})
    fields = {one.name: one for one in form.fields}
    assert chosen(form.format) == ("", "CSV")
    assert chosen(fields["delimiter"]) == ("", "; semicolon")
    assert chosen(fields["header_row"]) == ("", "row 1")
    delimiter = fields["delimiter"]
    assert isinstance(delimiter, Select)
    assert (form.format.hint, delimiter.detected) == ("Detected from the content", True)
    assert chosen(fields["thousands_mark"]) == ("", "none")
    assert [column["type"] for column in form.columns] == ["text", "decimal"]
    assert form.rows[1][1]["lost"] == "ERR"
    assert [[cell["raw"] for cell in row] for row in form.rows] == [[None, "1,5"], [None, "ERR"]]


def test_an_unusual_chosen_value_is_still_selected() -> None:
    form = form_of(
        upload(options={"delimiter": "^", "types": {"n": "VARCHAR", "gone": "SKIP"}}),
        {"delimiter": "wrong"},
    )
    fields = {one.name: one for one in form.fields}
    assert (chosen(fields["delimiter"]), fields["delimiter"].error) == (("^", "^"), "wrong")
    assert [value for value, _, selected in form.columns[1]["options"] if selected] == ["text"]
    assert form.skipped == ["gone"]


def test_the_fields_of_a_format_give_its_options_alone() -> None:
    posted = {
        "format": "excel",
        "sheet": "Trips",
        "delimiter": ";",
        "missing_values": "n/a, -",
        "skip_rows": "2",
        "header_row": "",
    }
    assert options_of(posted, [], [], {"format": "excel", "sheet": "Trips", "skip_rows": 2}) == {
        "format": "excel",
        "sheet": "Trips",
        "missing_values": ["n/a", "-"],
        "skip_rows": 2,
    }


def test_chosen_types_are_kept_until_the_columns_can_change() -> None:
    posted = {"detected_format": "csv", "delimiter": ";"}
    assert options_of(posted, ["a", "b"], ["", "text"], {"delimiter": ";"})["types"] == {
        "b": "text"
    }
    assert "types" not in options_of(posted, ["a", "b"], ["", "text"], {"delimiter": ","})


def test_a_slower_analysis_with_earlier_options_drops_no_chosen_type() -> None:
    """A second analysis of the file, with the earlier options, ends after the form was rendered."""
    shown = structure_of({"delimiter": ";"})
    posted = {"detected_format": "csv", "delimiter": ";", "structure": shown}
    assert options_of(posted, ["a", "b"], ["", "text"], {"delimiter": ","})["types"] == {
        "b": "text"
    }
    changed = {**posted, "delimiter": "|"}
    assert "types" not in options_of(changed, ["a", "b"], ["", "text"], {"delimiter": "|"})


@pytest.mark.parametrize(
    ("fix", "given"),
    [
        ("header_row=none", {"header_row": "none"}),
        ("date_formats=day-first", {"date_formats": ["day-first"]}),
        ("types=decimal=n", {"types": {"n": "decimal"}, "bad_cells": "missing"}),
        (
            "unix-seconds=datetime=a=b",
            {"types": {"a=b": "datetime"}, "date_formats": ["unix-seconds"]},
        ),
        ("format=parquet", {}),
        ("", {}),
    ],
)
def test_a_suggested_change_is_one_option(fix: str, given: Any) -> None:
    assert options_of({"detected_format": "csv", "fix": fix}, [], [], {}) == given


def test_a_warning_offers_its_changes() -> None:
    assert form_of(upload(), {}).warnings[0]["fixes"] == [
        ("Day first", "date_formats=day-first"),
        ("Month first", "date_formats=month-first"),
    ]


def test_a_structure_has_a_short_type() -> None:
    types = [
        {"name": "a", "type": "STRUCT(x BIGINT)"},
        {"name": "b", "type": "STRUCT(x BIGINT)[]"},
        {"name": "c", "type": "DECIMAL(9,2)"},
    ]
    form = form_of(upload(reading={**upload()["reading"], "columns": types}), {})
    assert [column["type"] for column in form.columns] == ["object", "list", "decimal(9,2)"]


def test_possible_unix_times_can_be_read_as_times() -> None:
    params = {"column": "created_at", "format": "unix-milliseconds", "example": '"1"', "value": "x"}
    warning = {
        "code": "possible_unix_times",
        "params": params,
        "message": "Choose date_formats unix-milliseconds.",
    }
    form = form_of(upload(reading={**upload()["reading"], "warnings": [warning]}), {})
    assert form.warnings[0]["fixes"] == [
        ("Read as date and time", "unix-milliseconds=datetime=created_at")
    ]


def test_an_unreadable_file_still_has_its_options() -> None:
    form = form_of(upload(options={"format": "csv"}, reading=None, fault="Line 3 has 3 cells."), {})
    assert (form.columns, form.rows) == ([], [])
    assert "delimiter" in [one.name for one in form.fields]
    unread = form_of(upload(options={}, reading=None, fault="Line 1: ...", file_name="a.JSON"), {})
    assert (unread.kind, unread.fields[0].name, unread.format.detected) == ("json", "nested", False)


def test_sentences_of_the_api_name_options_as_the_page_labels_them() -> None:
    warning = {
        "code": "ambiguous_dates",
        "params": {"column": "day"},
        "message": "Column day stays text: x can be two dates. Choose date_formats.",
    }
    form = form_of(
        upload(
            fault="Choose skip_rows 1, and header_row none.",
            reading={**upload()["reading"], "warnings": [warning]},
        ),
        {},
    )
    assert (
        form.warnings[0]["message"] == "Column day stays text: x can be two dates. Choose “Dates”."
    )
    assert form.fault == "Choose “Rows to skip” 1, and “Header row” none."
    assert (
        with_labels(
            "Correct them, name them in missing_values, or choose bad_cells missing."
        ).count("“")
        == 2
    )
    assert (
        with_labels('Column a is text because of "skip_rows" in row 1.')
        == 'Column a is text because of "skip_rows" in row 1.'
    )


def test_every_option_that_a_sentence_can_name_has_a_label_on_the_page() -> None:
    unlabelled = {
        "date_formats",
        "missing_values",
        "bad_cells",
        "skip_rows",
        "header_row",
        "decimal_mark",
        "thousands_mark",
        "records_path",
    }
    unlabelled |= {"list_column"}
    assert not [name for name in OPTION_NAMES if "_" in name and name not in unlabelled]
    assert all("_" not in with_labels(f"Choose {name}.") for name in unlabelled)


def test_no_row_is_skipped_if_the_user_sets_zero() -> None:
    assert options_of({"format": "csv", "skip_rows": "0"}, [], [], {}) == {
        "format": "csv",
        "skip_rows": 0,
    }


def _lists_field(given: Any, *columns: str) -> Any:
    reading = {
        **upload()["reading"],
        "format": "json",
        "list_columns": [{"name": name} for name in columns],
    }
    return {
        one.name: one for one in form_of(upload(options=given, reading=reading), {}).fields
    }.get("lists")


def test_lists_of_a_row_are_one_choice_that_names_the_column_where_several_have_lists() -> None:
    assert _lists_field({}) is None
    assert [value for value, _, _ in _lists_field({}, "tags").options] == [
        "keep",
        "text",
        "first",
        "rows",
    ]
    several = _lists_field({"lists": "rows", "list_column": "b"}, "a", "b")
    assert [value for value, _, _ in several.options] == [
        "keep",
        "text",
        "first",
        "rows=a",
        "rows=b",
    ]
    assert chosen(several) == ("rows=b", "one row for each item of b")
    assert chosen(_lists_field({"lists": "rows", "list_column": "a"}, "a")) == (
        "rows",
        "one row for each item",
    )
    assert (
        chosen(_lists_field({"lists": "rows"}, "a", "b"))[0] == "rows"
    )  # refused by the API: the choice stays visible
    posted = {"detected_format": "json", "lists": "rows=b"}
    given = {"lists": "rows", "list_column": "b"}
    assert options_of(posted, [], [], {}) == given
    assert options_of((posted | {"lists": "keep"}), [], [], {}) == {}
    assert options_of(posted, ["a"], ["text"], given) == (given | {"types": {"a": "text"}})
    assert "types" not in options_of(posted, ["a"], ["text"], {"lists": "first"})
