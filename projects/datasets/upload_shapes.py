"""Request bodies of uploads: files, reading options and their acceptance."""

from typing import Any, NotRequired, Required, TypedDict, TypeVar

from django.core.files.uploadedfile import TemporaryUploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mimir.api.fields import CommaField, PatternField, WholeNumberField
from mimir.lib.reading.options import (
    BAD_CELLS,
    LISTS,
    NESTED,
    SHEET_NAME_MAX,
    SHEETS_MAX,
    ReadOptionsBody,
)
from mimir.lib.tables import COLUMN_NAME_MAX
from projects.core.names import NAME_PATTERN, NAME_RULE
from projects.datasets.shapes import (
    FormBoolean,
    UploadedFile,
)
from projects.models import (
    DataFormat,
)

_SHEETS_HELP = (
    "Names of sheets that become one table, with a first column `sheet`;"
    " other columns are joined by name."
)
_HEADER_CHARS_MAX = 20
_HELP = {
    "format": "Default: by the content.",
    "encoding": "Such as utf-8, cp1252, utf-16, shift_jis.",
    "delimiter": "One character, or tab, comma, semicolon, pipe, space.",
    "quote": "A double quote, a single quote, or none.",
    "header_row": (
        "Number of the row with the column names, counted after skip_rows; none: no such row."
    ),
    "skip_rows": (
        "Number of rows to skip before the header row."
        " Default: lines that are not part of the table."
    ),
    "decimal_mark": "comma or point (or the character).",
    "thousands_mark": "none, comma, point, space or apostrophe (or the character).",
    "sheet": "Name of the sheet of a workbook.",
    "range": "Cells of the sheet, such as A4:I3048, A4:I, A:I or 4:3048. Default: all.",
    "records_path": (
        "Path of the list of rows in a JSON document, such as data.stations;"
        " $: the document itself."
    ),
    "bad_cells": "Cells that do not match their type in `types`: refuse (default) or missing.",
    "nested": "JSON objects in a cell: keep (default), columns (one for each field) or text.",
    "lists": (
        "JSON lists in a cell: keep (default), text, first (the first item)"
        " or rows (one row for each item)."
    ),
    "list_column": (
        "The column whose lists become rows, if several have lists. Only with lists rows."
    ),
}
_DATE_FORMATS = (
    "year-first, day-first, month-first, or patterns such as %d.%m.%Y; for columns with a time type"
    " in `types` also unix-seconds, unix-milliseconds, unix-microseconds and unix-nanoseconds."
)


def _text(name: str, length: int = 200) -> serializers.CharField:
    return serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=length,
        trim_whitespace=False,
        help_text=_HELP[name],
    )


def _choice(name: str, choices: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        required=False, allow_blank=True, choices=choices, help_text=_HELP[name]
    )


@extend_schema_field({"type": ["integer", "string"]})
class HeaderRowField(serializers.Field[Any, Any, Any, Any]):
    """A row number as in responses, or text as from a form."""

    def to_internal_value(self, data: object) -> Any:
        """Return the value. Raises: ValidationError."""
        if (
            isinstance(data, bool)
            or not isinstance(data, int | str)
            or "\x00" in str(data)
            or len(str(data)) > _HEADER_CHARS_MAX
        ):
            raise serializers.ValidationError(
                "must be the number of a row, or none.", code="invalid"
            )
        return data

    def to_representation(self, value: object) -> Any:
        """Return the stored value."""
        return value


Fields = TypeVar("Fields")


class FormOptions(TypedDict, total=False):
    """Reading options of a form, not checked yet. Each is text; a JSON request has no form."""

    format: str
    encoding: str
    delimiter: str
    quote: str
    header_row: int | str
    skip_rows: int
    decimal_mark: str
    thousands_mark: str
    date_formats: str
    missing_values: str
    types: str
    bad_cells: str
    sheet: str
    sheets: str
    range: str
    records_path: str
    nested: str
    lists: str
    list_column: str


class StageFields(FormOptions):
    """Checked request to upload a file."""

    file: Required[TemporaryUploadedFile]


class UploadFields(StageFields):
    """Checked request to upload a file as a version of a dataset."""

    name: Required[str]
    make_current: Required[bool]


class _Options(serializers.Serializer[Fields]):
    format = _choice("format", DataFormat.choices)
    encoding = _text("encoding", 40)
    delimiter = _text("delimiter", 20)
    quote = _text("quote", 10)
    header_row = HeaderRowField(required=False, help_text=_HELP["header_row"])
    skip_rows = serializers.IntegerField(
        required=False, min_value=0, max_value=1_000_000, help_text=_HELP["skip_rows"]
    )
    decimal_mark = _text("decimal_mark", 10)
    thousands_mark = _text("thousands_mark", 20)
    bad_cells = _choice("bad_cells", BAD_CELLS)
    sheet = _text("sheet", SHEET_NAME_MAX)
    range = _text("range", 40)
    records_path = _text("records_path", 500)
    nested = _choice("nested", NESTED)
    lists = _choice("lists", LISTS)
    list_column = _text("list_column", COLUMN_NAME_MAX)


class ReadOptionsShape(_Options[ReadOptionsBody]):
    """Reading options. Missing options are detected."""

    date_formats = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=100,
        help_text=_DATE_FORMATS,
    )
    missing_values = serializers.ListField(
        child=serializers.CharField(max_length=100, allow_blank=True, trim_whitespace=False),
        required=False,
        max_length=100,
        help_text="Words that mean a missing value, in every column."
        " Default: common ones, in columns of numbers, dates and booleans only.",
    )
    types = serializers.DictField(
        child=serializers.CharField(max_length=40),
        required=False,
        help_text="Column name to type: text, integer, decimal, boolean, date, datetime,"
        " timestamptz, time, skip.",
    )
    sheets = serializers.ListField(
        child=serializers.CharField(max_length=SHEET_NAME_MAX, trim_whitespace=False),
        required=False,
        max_length=SHEETS_MAX,
        help_text=f"{_SHEETS_HELP} Instead of `sheet`.",
    )


_COMMAS = "Separated by commas, or given several times."


class _FileRequest(_Options[Fields]):
    date_formats = CommaField(
        required=False, allow_blank=True, max_length=10_000, help_text=_COMMAS
    )
    missing_values = CommaField(
        required=False, allow_blank=True, max_length=10_000, help_text=_COMMAS
    )
    types = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500_000,
        help_text="A JSON object: column name to type.",
    )
    sheets = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100_000,
        help_text=f"A JSON list. {_SHEETS_HELP}",
    )

    file = UploadedFile(max_length=None, allow_empty_file=True, use_url=False)


class StageRequest(_FileRequest[StageFields]):
    pass


_APPEND_TO = (
    "Number of the current version. The new version has its rows, then those of the file."
    " 409 if another version is current."
)
_MAKE_CURRENT = (
    "false: store the version and keep the current one. A first version is always current."
)


class UploadRequest(_FileRequest[UploadFields]):
    name = PatternField(NAME_PATTERN, NAME_RULE)
    make_current = FormBoolean(default=True, help_text=_MAKE_CURRENT)


class UploadChanges(TypedDict):
    """Checked request to read a staged file again."""

    options: ReadOptionsBody
    sample: bool


class UploadChange(serializers.Serializer[UploadChanges]):
    options = ReadOptionsShape(help_text="All options. They replace the previous ones.")
    sample = serializers.BooleanField(
        required=False,
        default=False,
        help_text="true: read only the beginning, for a quick preview.",
    )


class AcceptFields(TypedDict):
    """Checked request to accept a staged file as a version."""

    name: str
    make_current: bool
    append_to: int | None


class UploadAccept(serializers.Serializer[AcceptFields]):
    name = PatternField(
        NAME_PATTERN, NAME_RULE, help_text="The dataset: a new one, or one that gets a new version."
    )
    make_current = serializers.BooleanField(default=True, help_text=_MAKE_CURRENT)
    append_to = WholeNumberField(
        1, 10**9, required=False, allow_null=True, default=None, help_text=_APPEND_TO
    )


class SheetFields(TypedDict):
    """Checked choice of a sheet and its dataset."""

    sheet: str
    name: str


class SheetDatasetRequest(serializers.Serializer[SheetFields]):
    """A sheet of a workbook and the dataset that receives it as a version."""

    sheet = serializers.CharField(max_length=SHEET_NAME_MAX, trim_whitespace=False)
    name = PatternField(
        NAME_PATTERN, NAME_RULE, help_text="The dataset: a new one, or one that gets a new version."
    )


class AcceptSheetsFields(TypedDict):
    """Checked request to accept sheets of a staged workbook as versions."""

    datasets: list[SheetFields]
    types: NotRequired[dict[str, str]]
    make_current: bool


class UploadAcceptSheets(serializers.Serializer[AcceptSheetsFields]):
    datasets = serializers.ListField(
        child=SheetDatasetRequest(),
        min_length=1,
        max_length=SHEETS_MAX,
        help_text="Sheets, each with a different dataset name.",
    )
    types = serializers.DictField(
        child=serializers.CharField(max_length=40),
        required=False,
        help_text="Column name to type, for the sheets that have the column."
        " Default: the types of the upload's options.",
    )
    make_current = serializers.BooleanField(default=True, help_text=_MAKE_CURRENT)
