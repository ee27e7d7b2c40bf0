"""Reading options of users. Pure: reads no file and runs no native code.

Every field is optional. An empty field is detected from the content.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict, cast

from mimir.lib.json_types import Json
from mimir.lib.reading.cellrange import parse_range
from mimir.lib.tables import COLUMN_NAME_MAX

FORMATS = ("csv", "jsonl", "json", "parquet", "arrow", "excel")
TYPES = (
    "VARCHAR",
    "BIGINT",
    "DOUBLE",
    "BOOLEAN",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
    "TIME",
)
TYPE_ALIASES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DOUBLE",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
    "skip": "SKIP",
}
DATE_ORDERS = {"year-first": "ymd", "day-first": "dmy", "month-first": "mdy"}
UNIX_FORMATS = {
    "unix-seconds": 0,
    "unix-milliseconds": 3,
    "unix-microseconds": 6,
    "unix-nanoseconds": 9,
}  # n: 10 ** n of the unit are one second
BAD_CELLS = ("refuse", "missing")
NESTED = ("keep", "columns", "text")
LISTS = ("keep", "text", "first", "rows")
ROWS_MAX = 1_000_000  # limit of rows to skip, and of the header row's number
LIST_MAX, WORD_MAX, TYPES_MAX = 100, 100, 2000
SHEETS_MAX, SHEET_NAME_MAX = 100, 200
_DIRECTIVES = re.compile(r"(?:[^%]|%[dmyYbBHMSfzjIpAa%])+")
_PATH = re.compile(r"\$?[^\x00-\x1f]{0,500}")


class BadOptions(Exception):
    """Invalid options. `faults`: messages by field."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


class ReadOptionsBody(TypedDict, total=False):
    """Reading options as JSON. The word `none` stands for an empty quote or thousands mark."""

    format: str
    encoding: str
    delimiter: str
    quote: str
    header_row: int
    skip_rows: int
    decimal_mark: str
    thousands_mark: str
    date_formats: list[str]
    missing_values: list[str]
    types: dict[str, str]
    bad_cells: str
    sheet: str
    sheets: list[str]
    range: str
    records_path: str
    nested: str
    lists: str
    list_column: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options given by the user. None or an empty value: detect it."""

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str | None = None  # "": no quote character
    header_row: int | None = None  # 0: no header row; n: row n after the skipped rows
    skip_rows: int | None = None  # 0: skip no row before the header
    decimal_mark: str = ""
    thousands_mark: str | None = None  # "": none
    date_formats: tuple[str, ...] = ()
    missing_values: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    bad_cells: str = "refuse"
    sheet: str = ""
    sheets: tuple[str, ...] = ()  # several, as one table
    range: str = ""  # cells of a sheet, such as A4:I3048
    records_path: str = ""
    nested: str = "keep"
    lists: str = "keep"
    list_column: str = ""

    @property
    def skipped(self) -> int:
        """Number of rows to skip, if given."""
        return self.skip_rows or 0

    def given(self) -> ReadOptionsBody:
        """Return the given fields as JSON values."""
        default = ReadOptions()
        given = {
            name: _json(name, value)
            for name, value in asdict(self).items()
            if value != getattr(default, name)
        }
        return cast("ReadOptionsBody", given)


def _json(name: str, value: "Json | tuple[str, ...]") -> Json:
    if name in ("quote", "thousands_mark") and value == "":
        return "none"
    return list(value) if isinstance(value, tuple) else value


def options_of(raw: Mapping[str, object]) -> ReadOptions:
    """Return the checked options from JSON values or form fields.

    Raises: BadOptions, with every bad field.
    """
    faults: dict[str, str] = {}
    values: dict[str, Any] = {}  # of the types that ReadOptions declares
    for name, value in raw.items():
        check = _CHECKS.get(name)
        if check is None:
            faults[name] = f"unknown option. The options are {', '.join(_CHECKS)}."
            continue
        if value is None or value == "":
            continue
        try:
            values[name] = check(value)
        except ValueError as error:
            faults[name] = str(error)
    if values.get("decimal_mark") and values.get("decimal_mark") == values.get("thousands_mark"):
        faults["thousands_mark"] = "must differ from decimal_mark."
    if values.get("list_column") and values.get("lists") != "rows":
        faults.setdefault(
            "list_column", "applies to lists rows only. Set lists to rows, or remove it."
        )
    if values.get("sheet") and values.get("sheets"):
        faults["sheets"] = (
            "choose sheet for one sheet, or sheets for several in one table, not both."
        )
    if faults:
        raise BadOptions(faults)
    return ReadOptions(**values)


def _choice(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}.")
        return str(value)

    return check


_NAMED_CHARACTERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
}


def _delimiter(value: object) -> str:
    value = _NAMED_CHARACTERS.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\x00' or ord(value) > 127:
        raise ValueError(
            "must be one ASCII character, such as a comma, or one of tab, comma, semicolon, pipe, "
            "space."
        )
    return value


def _quote(value: object) -> str:
    value = "" if value == "none" else value
    if not isinstance(value, str) or value not in ("", '"', "'"):
        raise ValueError("must be a double quote, a single quote, or none.")
    return value


def _encoding(value: object) -> str:
    try:
        name = codecs.lookup(str(value)[:40]).name
    except (LookupError, ValueError):
        name = ""
    allowed = (
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "iso8859-1",
        "iso8859-15",
        "cp1250",
        "cp1251",
        "cp1252",
        "cp437",
        "cp850",
        "shift_jis",
        "cp932",
        "euc_jp",
        "gb18030",
        "gbk",
        "big5",
        "euc_kr",
        "koi8-r",
        "iso8859-2",
        "mac-roman",
    )
    if name not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}.")
    return name


def _integer(low: int, high: int, what: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        try:
            number = (
                int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
            )
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise ValueError(f"must be {what}.")
        return number

    return check


def _header(value: object) -> int:
    if value in ("none", "no", False):
        return 0
    if value in ("yes", True):
        return 1
    return _integer(0, ROWS_MAX, "none, or the number of the row that names the columns")(value)


def _mark(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        value = (
            {"none": "", "space": " ", "comma": ",", "point": ".", "apostrophe": "'"}.get(
                value, value
            )
            if isinstance(value, str)
            else value
        )
        if value not in allowed:
            raise ValueError(
                "must be "
                + " or ".join({"": "none", " ": "space"}.get(mark, mark) for mark in allowed)
                + "."
            )
        return str(value)

    return check


def _text_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",")]
    if not isinstance(value, list | tuple) or not all(
        isinstance(word, str) and len(word) <= WORD_MAX and "\x00" not in word for word in value
    ):
        raise ValueError(f"must be a list of words of at most {WORD_MAX} characters.")
    if len(value) > LIST_MAX:
        raise ValueError(f"must have at most {LIST_MAX} words.")
    return tuple(dict.fromkeys(value))


def _date_formats(value: object) -> tuple[str, ...]:
    formats = _text_list(value)
    for text in formats:
        if (
            text not in DATE_ORDERS
            and text not in UNIX_FORMATS
            and not ("%" in text and _DIRECTIVES.fullmatch(text))
        ):
            raise ValueError(
                f"{text!r} must be year-first, day-first or month-first, one of "
                f"{', '.join(UNIX_FORMATS)}, or a pattern of "
                "%d %m %Y %y %b %B %H %M %S %f %z, such as %d.%m.%Y."
            )
    return formats


def column_type(value: object) -> str:
    """Return a column type by its DuckDB name or plain name; SKIP omits the column.

    Raises: ValueError.
    """
    name = TYPE_ALIASES.get(value.lower(), value.upper()) if isinstance(value, str) else ""
    if name not in (*TYPES, "SKIP"):
        raise ValueError(
            f"{str(value)[:40]!r} is not a type. Use one of {', '.join(TYPE_ALIASES)}."
        )
    return name


def _types(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > TYPES_MAX:
        raise ValueError(
            f"must be an object from column name to type, with at most {TYPES_MAX} columns."
        )
    return {str(name): column_type(wanted) for name, wanted in value.items()}


def _path(value: object) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise ValueError("must be a path of keys, such as data.stations.")
    return value if value == "$" else value.removeprefix("$").removeprefix(".").removesuffix("[*]")


def _column_name(value: object) -> str:
    if not isinstance(value, str) or len(value) > COLUMN_NAME_MAX:
        raise ValueError("must be the name of a column.")
    return value


def _sheet(value: object) -> str:
    if not isinstance(value, str) or len(value) > SHEET_NAME_MAX:
        raise ValueError("must be the name of a sheet.")
    return value


def _sheets(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(name, str) and 0 < len(name) <= SHEET_NAME_MAX for name in value
    ):
        raise ValueError("must be a list of names of sheets.")
    if len(value) > SHEETS_MAX:
        raise ValueError(f"must have at most {SHEETS_MAX} sheets.")
    return tuple(dict.fromkeys(value))


def _range(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be cells such as A4:I3048.")
    return parse_range(value).text


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "format": _choice(*FORMATS),
    "encoding": _encoding,
    "delimiter": _delimiter,
    "quote": _quote,
    "header_row": _header,
    "skip_rows": _integer(0, ROWS_MAX, f"a whole number from 0 to {ROWS_MAX}"),
    "decimal_mark": _mark(".", ","),
    "thousands_mark": _mark("", ",", ".", " ", "'"),
    "date_formats": _date_formats,
    "missing_values": _text_list,
    "types": _types,
    "bad_cells": _choice(*BAD_CELLS),
    "sheet": _sheet,
    "sheets": _sheets,
    "range": _range,
    "records_path": _path,
    "nested": _choice(*NESTED),
    "lists": _choice(*LISTS),
    "list_column": _column_name,
}
OPTION_NAMES = tuple(_CHECKS)
