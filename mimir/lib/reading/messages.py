"""Warnings about a file that was read: code, parameters, and the catalogue of the messages."""

from collections.abc import Mapping
from dataclasses import dataclass

from mimir.lib.json_types import Json
from mimir.lib.table_shapes import WarningInfo

CELL_CHARACTERS = 60
WARNINGS_MAX = 300  # stored with a version; one more has the number of omitted ones

_SENTENCES = {
    "missing_words": (
        "Column {column}: {count} of {total} cells are {words}. They are treated as missing; the "
        "other cells are {type}."
    ),
    "nearly_numbers": (
        "Column {column} is text because of {cells}: {good} of its {total} cells are numbers."
    ),
    "nearly_times": (
        "Column {column} is text because of {cells}: {good} of its {total} cells are dates or "
        "times."
    ),
    "number_marks": "Column {column}: {example} is read as {value} ({marks}).",
    "percent": "Column {column}: the percent sign is removed, so {example} is read as {value}.",
    "currency": "Column {column}: {symbol} is removed, so {example} is read as {value}.",
    "ambiguous_numbers": (
        "Column {column} stays text: {example} can be read with a comma or a point as the decimal "
        "mark. Choose decimal_mark."
    ),
    "ambiguous_dates": (
        "Column {column} stays text: {example} can be day-month or month-day. Choose date_formats."
    ),
    "possible_dates": (
        "Column {column} stays text: {example} may be a date. Choose date_formats to read it as "
        "one."
    ),
    "date_order": "Column {column}: dates are read as {order}, so {example} is {value}.",
    "unix_times": "Column {column}: {format} are read as times in UTC, so {example} is {value}.",
    "unix_times_rounded": (
        "Column {column}: {count} of {total} cells have more digits than the type can store, such "
        "as {example}. They are rounded."
    ),
    "possible_unix_times": "Column {column} has whole numbers that may be times: in "
    "{format}, {example} is {value} "
    "UTC. "
    "Choose the type datetime and date_formats {format} to read them so.",
    "month_names": "Column {column}: {example} is read as {value}.",
    "large_integers": (
        "Column {column} stays text: {example} has more digits than a whole number of 64 bits can "
        "hold."
    ),
    "large_times": "Column {column} stays text: {example} has more digits than a time can hold.",
    "rounded": (
        "Column {column}: {count} of {total} cells have more than 17 digits, such as {example}. "
        "They are rounded to the nearest number."
    ),
    "mixed_json": (
        "Column {column} is text because its values have different types: {kinds}. Strings are "
        "stored without quotes."
    ),
    "nested_text": "Column {column} is stored as JSON text: {reason}.",
    "nested_integers": (
        "Column {column} has integers that a nested number cannot hold exactly. Nested numbers "
        "are stored as text."
    ),
    "lists_opened": (
        "Column {column}: each item of a list is a row. Rows in the file: {rows}, rows of the "
        "table: {total}."
    ),
    "empty_lists": (
        "Column {column}: rows with an empty list or no value: {count}. Each stays one row, and "
        "its value is missing."
    ),
    "list_items_dropped": (
        "Column {column}: only the first item of each list is kept. Dropped items: {count}, in "
        "rows: {rows}."
    ),
    "json_oddity": (
        "The file is not valid JSON: it has {what}, first in line {line}. Its objects are read "
        "unchanged."
    ),
    "no_lists": "No column has lists. The option lists {how} changes nothing.",
    "nested_mixed": (
        "Column {column}: some values in its lists or objects have no common type. They are "
        "stored as text."
    ),
    "bad_cells_missing": (
        "Column {column}: {count} of {total} cells are not {type}, such as {cells}. They are "
        "treated as missing."
    ),
    "no_values": "Column {column} has no values.",
    "header_looks_like_data": (
        "Line {line} looks like data ({cells}), but is used as the header. Choose header_row none "
        "to keep it as a row."
    ),
    "no_header": "The first row has no column names. The columns are named {names}.",
    "header_renamed": "Column {position} is named {name}: {reason}.",
    "row_names": (
        "Line {line} has one name fewer than the rows have cells. The first column is named {name}."
    ),
    "skipped_lines": (
        "Lines {first} to {last} are skipped: they are not part of the table. They contain {held}."
    ),
    "skipped_line": "Line {first} is skipped: it is not part of the table. It contains {held}.",
    "units_line": (
        "Line {line} is skipped: it contains units ({held}). Choose header_row to keep it as a row."
    ),
    "separator_line": "Line 1 names the delimiter ({delimiter}) and is not part of the table.",
    "short_rows": (
        "Rows with fewer cells than there are columns: {count}, the first in line {line}. The "
        "cells at their end are missing."
    ),
    "long_rows": (
        "Rows with empty cells beyond the last column: {count}, the first in line {line}. Those "
        "cells are ignored."
    ),
    "blank_rows": "{count} empty lines are skipped.",
    "mixed_line_ends": "The file has mixed line endings ({ends}). All are accepted.",
    "stray_quotes": (
        "{count} cells have text after a closing quote, the first in line {line}. It is kept as "
        "part of the cell."
    ),
    "nul_bytes": "{count} NUL characters are removed, the first in line {line}.",
    "converted_encoding": "The text is {encoding} and is converted to UTF-8.",
    "guessed_encoding": (
        "The text is not UTF-8 and is read as {encoding}: check {example}. Choose encoding if it "
        "is another one."
    ),
    "one_column": "The file has one column. If its lines hold several cells, choose the delimiter.",
    "unpacked": "The file is compressed ({packing}). The table inside is {name}.",
    "other_sheets": "Sheet {sheet} is read. The workbook also has {others}.",
    "sheet_errors": "Sheet {sheet} has {count} error cells such as {example}.",
    "merged_cells": (
        "Sheet {sheet} has merged cells ({ranges}). Their value is in the first cell; the others "
        "are missing."
    ),
    "sheet_spelling": (
        "Column {name} of sheet {sheet} is named {column}, as in the sheets before it."
    ),
    "sheet_lacks_columns": "Sheet {sheet} has no columns {columns}. They are missing in its rows.",
    "skipped_columns": "{count} empty columns without a name are skipped.",
    "records_path": "The rows are the list {path} in the file.",
    "other_list": "The file also has the list {others}. Choose records_path to read it.",
    "other_lists": "The file also has the lists {others}. Choose records_path to read another one.",
    "list_of_rows": (
        "The file is a list of rows without names. The columns are named column1, column2 and so "
        "on."
    ),
    "list_of_rows_named": "The file is a list of rows. The first one names the columns.",
    "list_of_columns": (
        "The file has a list of values for each column. The values at the same position of all "
        "lists form a row."
    ),
    "type_changed": "Column {column} is stored as {type}: {reason}.",
    "more": "{count} more warnings are not shown.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning. `code`: a key of the catalogue. `params`: JSON values."""

    code: str
    params: Mapping[str, Json]

    def as_dict(self) -> WarningInfo:
        """Return the warning with its message, as stored and sent."""
        return {
            "code": self.code,
            "params": dict(self.params),
            "message": message(self.code, self.params),
        }


def message(code: str, params: Mapping[str, Json]) -> str:
    """Return the message of a warning. `of_sheet` in the parameters names its sheet."""
    sentence = _SENTENCES[code].format(**params)
    return (
        f"Sheet {params['of_sheet']}: {sentence}"
        if params.get("of_sheet") and "sheet" not in params
        else sentence
    )


def shown(text: str) -> str:
    """Return a cell for a message: quoted, without control characters, shortened."""
    plain = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return '"' + (plain if len(plain) <= CELL_CHARACTERS else plain[:CELL_CHARACTERS] + "…") + '"'


def limited(warnings: list[Notice]) -> list[WarningInfo]:
    """Return a bounded number of warnings, as they are stored."""
    found = [warning.as_dict() for warning in warnings[:WARNINGS_MAX]]
    omitted = len(warnings) - len(found)
    return found + ([Notice("more", {"count": omitted}).as_dict()] if omitted else [])
