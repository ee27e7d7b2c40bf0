"""Request and response bodies of datasets and their versions.

Each `…Body` is the type of the dict that a view returns; the serializer of the same name documents
it. A test compares the two.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from mimir.api.fields import WholeNumberField
from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.schemas.column_changes import ChangeKind, column_changes
from projects.core.uses import Use
from projects.models import (
    DataFormat,
    DatasetVersion,
)

_Any = serializers.Serializer[Any]


class ColumnShape(_Any):
    name = serializers.CharField()
    type = serializers.CharField(help_text="As DuckDB names it.")
    empty = serializers.BooleanField(
        required=False, help_text="true: the column has no values, so its type is a guess."
    )


class DatasetVersionShape(_Any):
    number = serializers.IntegerField()
    format = serializers.ChoiceField(choices=DataFormat.choices)
    row_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    schema = ColumnShape(many=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(
        allow_null=True, help_text="The job that created it; null for an upload."
    )
    current = serializers.BooleanField(help_text="Jobs that name no version read this one.")


class DatasetShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    version = DatasetVersionShape(help_text="The current one.")


class ColumnChangeShape(_Any):
    kind = serializers.ChoiceField(choices=[kind.value for kind in ChangeKind])
    column = serializers.CharField()
    before = serializers.CharField(
        allow_blank=True, help_text="Type in the previous version; empty for a new column."
    )
    after = serializers.CharField(
        allow_blank=True, help_text="Type in this version; empty for a missing column."
    )
    message = serializers.CharField()


class UseShape(_Any):
    kind = serializers.ChoiceField(choices=["job", "pipeline", "dataset", "model", "twin"])
    name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class VersionRef(_Any):
    name = serializers.CharField()
    version = serializers.IntegerField()


class WarningShape(_Any):
    code = serializers.CharField()
    params = serializers.DictField(child=serializers.JSONField(allow_null=True))
    message = serializers.CharField(help_text="A sentence for people.")


class DatasetVersionDetail(DatasetVersionShape):
    name = serializers.CharField(help_text="Of the dataset.")
    packing = serializers.CharField(
        allow_blank=True,
        help_text="gzip, zstd, bzip2, xz or zip; empty: the file was uploaded uncompressed.",
    )
    reading = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text="The options in effect when the file was read.",
    )
    warnings = WarningShape(many=True, help_text="Changes and observations from reading the file.")
    compared_with = serializers.IntegerField(
        allow_null=True, help_text="The previous version; null for the first one."
    )
    column_changes = ColumnChangeShape(
        many=True, help_text="Columns that differ from the previous version."
    )
    uses = UseShape(
        many=True,
        allow_null=True,
        help_text="Uses that prevent deletion, at most 20; null in the answer of an upload.",
    )


class DatasetChanges(TypedDict):
    """Checked request to make a version current."""

    current_version: int


class DatasetChange(serializers.Serializer[DatasetChanges]):
    current_version = WholeNumberField(1, 10**9)


class DatasetCreated(_Any):
    name = serializers.CharField()
    version = DatasetVersionDetail()


class DatasetVersions(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    current_version = serializers.IntegerField()
    versions = DatasetVersionShape(many=True)
    next = serializers.CharField(allow_null=True)


@extend_schema_field({"type": "string", "format": "binary"})
class UploadedFile(serializers.FileField):
    """Bytes in a request. drf-spectacular would describe a URL, as in responses."""


class FormBoolean(serializers.BooleanField):
    """A boolean of a multipart form. Absent means the default, not false.

    An HTML form does not send an unchecked checkbox; an API client omits optional fields.
    """

    default_empty_html = empty


class Rows(_Any):
    columns = ColumnShape(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField(allow_null=True))
    )
    truncated = serializers.BooleanField(help_text="There are more rows.")


class Histogram(_Any):
    edges = serializers.ListField(
        child=serializers.JSONField(), help_text="One more than counts: numbers, or times as text."
    )
    counts = serializers.ListField(child=serializers.IntegerField())


class CommonValue(_Any):
    value = serializers.CharField()
    count = serializers.IntegerField()


class ColumnProfile(_Any):
    name = serializers.CharField()
    type = serializers.CharField(help_text="As DuckDB names it.")
    kind = serializers.ChoiceField(choices=["number", "category", "time", "boolean", "other"])
    missing = serializers.IntegerField(allow_null=True, help_text="Empty cells and NaN.")
    distinct = serializers.IntegerField(allow_null=True, help_text="Distinct values.")
    min = serializers.JSONField(allow_null=True, help_text="A number, or a time as text.")
    max = serializers.JSONField(allow_null=True)
    mean = serializers.FloatField(allow_null=True)
    std = serializers.FloatField(allow_null=True, help_text="Of a sample.")
    histogram = Histogram(allow_null=True, help_text="Of numbers and times: at most 20 bins.")
    top = CommonValue(
        many=True, allow_null=True, help_text="Of text and booleans: the 10 most common values."
    )


class ProfileShape(_Any):
    row_count = serializers.IntegerField()
    columns = ColumnProfile(many=True)
    fault = serializers.CharField(
        allow_blank=True, help_text="Columns without statistics, and why; empty if there are none."
    )


class ColumnBody(TypedDict):
    """A column of a table."""

    name: str
    type: str
    empty: NotRequired[bool]


class ColumnChangeBody(TypedDict):
    """A difference of the columns of two versions."""

    kind: str
    column: str
    before: str
    after: str
    message: str


class UseBody(TypedDict):
    """A use of a version, which prevents its deletion."""

    kind: str
    name: str
    version: int | None
    message: str


class WarningBody(TypedDict):
    """A change or observation from reading a file."""

    code: str
    params: dict[str, Any]
    message: str


class VersionRefBody(TypedDict):
    """The name and the number of a version."""

    name: str
    version: int


class DatasetVersionBody(TypedDict):
    """A version of a dataset in a list."""

    number: int
    format: str
    row_count: int
    size_bytes: int
    sha256: str
    schema: list[ColumnBody]
    created_at: dt.datetime
    created_by: str | None
    job: UUID | None
    current: bool


class DatasetVersionDetailBody(DatasetVersionBody):
    """A version of a dataset with all details."""

    name: str
    packing: str
    reading: ReadOptionsBody
    warnings: list[WarningBody]
    compared_with: int | None
    column_changes: list[ColumnChangeBody]
    uses: list[UseBody] | None


def dataset_version(row: DatasetVersion, origins: Mapping[UUID, UUID]) -> DatasetVersionBody:
    """Return one version of a dataset. `origins` names the jobs that created versions."""
    return {
        "number": row.number,
        "format": row.format,
        "row_count": row.row_count,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "schema": row.schema,
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
        "job": origins.get(row.id),
        "current": row.number == row.dataset.current,
    }


def dataset_version_detail(
    row: DatasetVersion,
    origins: Mapping[UUID, UUID],
    *,
    before: DatasetVersion | None,
    uses: Sequence[Use] | None,
) -> DatasetVersionDetailBody:
    """Return a version with its column changes since `before` and its uses.

    `uses` is None if they were not looked up.
    """
    changes = column_changes(before.schema, row.schema) if before else []
    return {
        **dataset_version(row, origins),
        "name": row.dataset.name,
        "packing": row.packing,
        "reading": row.reading,
        "warnings": row.warnings,
        "compared_with": before.number if before else None,
        "column_changes": [
            {
                "kind": change.kind.value,
                "column": change.column,
                "before": change.before,
                "after": change.after,
                "message": change.message,
            }
            for change in changes
        ],
        "uses": None
        if uses is None
        else [
            {"kind": use.kind, "name": use.name, "version": use.version, "message": use.message}
            for use in uses
        ],
    }


def version_ref(row: DatasetVersion) -> VersionRefBody:
    """Return the name and the number of a dataset version."""
    return {"name": row.dataset.name, "version": row.number}
