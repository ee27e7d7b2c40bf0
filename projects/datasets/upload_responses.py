"""Response bodies of uploads: staged uploads with the result of reading them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.datasets.shapes import ColumnShape, DatasetCreated, WarningShape
from projects.datasets.upload_shapes import ReadOptionsShape
from projects.models import DataFormat

_Any = serializers.Serializer[Any]


class DatasetsCreated(_Any):
    datasets = DatasetCreated(many=True)


class SheetShape(_Any):
    name = serializers.CharField()
    rows = serializers.IntegerField(help_text="0: the sheet has no cells.")
    columns = serializers.IntegerField()
    hidden = serializers.BooleanField()


class ListShape(_Any):
    path = serializers.CharField()
    count = serializers.IntegerField()
    chosen = serializers.BooleanField()


@extend_schema_field({"type": ["number", "string"]})
class LimitField(serializers.Field[Any, Any, Any, Any]):
    """Minimum or maximum of a column: a number, or a date or time as text."""

    def to_representation(self, value: object) -> Any:
        """Return the value unchanged."""
        return value


class ReadColumnShape(ColumnShape):
    """A column of a staged upload. The facts are exact and count all rows.

    They are absent if only the beginning was read, and for large tables.
    """

    missing = serializers.IntegerField(required=False, help_text="Rows without a value.")
    distinct = serializers.IntegerField(required=False, help_text="Distinct values.")
    min = LimitField(required=False, help_text="Of numbers, dates and times.")
    max = LimitField(required=False)


class ListColumnShape(_Any):
    name = serializers.CharField()


class UploadReading(_Any):
    """Result of reading a staged upload."""

    format = serializers.ChoiceField(choices=DataFormat.choices)
    packing = serializers.CharField(
        allow_blank=True, help_text="gzip, zstd, bzip2, xz or zip; empty: not packed."
    )
    options = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text="The options in effect, detected or given.",
    )
    columns = ReadColumnShape(many=True)
    row_count = serializers.IntegerField(help_text="Number of rows that were read.")
    complete = serializers.BooleanField(
        help_text="false: only the beginning was read, so counts and types may change."
    )
    warnings = WarningShape(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True)),
        help_text="The first rows as they will be stored.",
    )
    cells = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True)),
        help_text="The first rows as text of the file.",
    )
    lines = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="The first lines of a text file."
    )
    sheets = SheetShape(many=True, help_text="Of a workbook.")
    lists = ListShape(many=True, help_text="Lists of objects in a JSON document.")
    list_columns = ListColumnShape(
        many=True, help_text="Columns of a JSON file that have lists, before `lists` is applied."
    )


class StagedUploadShape(_Any):
    id = serializers.UUIDField()
    file_name = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    options = ReadOptionsShape(help_text="The options that were given.")
    fault = serializers.CharField(
        allow_blank=True,
        help_text="Why the file cannot be read with these options; empty if it can.",
    )
    sheets = SheetShape(
        many=True, help_text="Sheets of a workbook, even if the chosen one cannot be read."
    )
    reading = UploadReading(allow_null=True, help_text="null if the file cannot be read.")
