"""Datasets: upload, list, preview, download."""

import contextlib
from pathlib import Path
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.pagination import paginate
from mimir.api.parsers import JSONParser
from mimir.api.query import flag, whole_number
from mimir.api.responses import FileStream, attachment
from mimir.api.schema import CURSOR, LIMIT, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects import storage
from projects.access import project_for
from projects.api import serializers, shapes
from projects.api.numbers import version_number
from projects.models import DatasetVersion, Role
from projects.selectors import (
    VersionKind,
    dataset_get,
    dataset_latest_versions,
    dataset_version_get,
    dataset_version_rows,
    dataset_versions,
    version_origins,
)
from projects.selectors.datasets import content_missing, dataset_version_converted
from projects.services import dataset_profile, dataset_upload

ROWS_DEFAULT, ROWS_MAX = 50, 1000
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
_AS = OpenApiParameter("as", OpenApiTypes.STR, enum=["csv", "parquet"], description="The format; left out: as it was stored.")

_STORED = flag("stored", "true: answer at once, with what was computed before; 404 `not_computed` if nothing was.")


class DatasetsView(ApiView):
    """The datasets of a project."""

    parser_classes = (MultiPartParser, JSONParser)

    @extend_schema(
        operation_id="datasets_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("DatasetList", serializers.DatasetShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Every dataset with its newest version, by name."""
        project = project_for(caller(request), slug)
        page = paginate(dataset_latest_versions(project=project), request, keys=("dataset__name",))
        origins = version_origins(VersionKind.DATASET, [row.id for row in page.results])
        rows = [
            {"name": row.dataset.name, "created_at": row.dataset.created_at, "version": shapes.dataset_version(row, origins)}
            for row in page.results
        ]
        return Response({"results": rows, "next": page.next})

    @extend_schema(
        operation_id="datasets_upload",
        request={"multipart/form-data": serializers.UploadRequest},
        responses={201: serializers.DatasetMade, **errors(400, 403, 404, 409, 413, 429)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Upload CSV, JSON lines or Parquet as the next version. The content decides, not the file's name."""
        project = project_for(caller(request), slug, Role.MAINTAINER)
        body = validated(serializers.UploadRequest, request)
        file = body["file"]
        version = dataset_upload(
            project=project,
            name=body["name"],
            file=file.file,
            path=file.temporary_file_path(),
            size_bytes=file.size,
            user=caller(request),
        )
        return Response({"name": body["name"], "version": shapes.dataset_version(version, {})}, status=201)


class DatasetView(ApiView):
    """One dataset."""

    @extend_schema(operation_id="datasets_read", parameters=[CURSOR, LIMIT], responses={200: serializers.DatasetVersions, **errors(400, 404)})
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Its versions, newest first."""
        dataset = dataset_get(project=project_for(caller(request), slug), name=name)
        page = paginate(dataset_versions(dataset=dataset), request, keys=("-number",))
        origins = version_origins(VersionKind.DATASET, [row.id for row in page.results])
        versions = [shapes.dataset_version(row, origins) for row in page.results]
        return Response({"name": dataset.name, "created_at": dataset.created_at, "versions": versions, "next": page.next})


def _version(request: Request, slug: str, name: str, number: str) -> DatasetVersion:
    return dataset_version_get(project=project_for(caller(request), slug), name=name, number=version_number(number))


class DatasetRowsView(ApiView):
    """A preview."""

    @extend_schema(
        operation_id="datasets_rows",
        parameters=[whole_number("limit", "Rows.", minimum=1, maximum=ROWS_MAX)],
        responses={200: serializers.Rows, **errors(400, 404, 429)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """The first rows; numbers and truth values as they are, everything else as text."""
        version = _version(request, slug, name, number)
        shown = dataset_version_rows(version=version, limit=self.query.get("limit", ROWS_DEFAULT))
        return Response({"columns": shown.columns, "rows": shown.rows, "truncated": shown.truncated})


class DatasetProfileView(ApiView):
    """What the columns hold."""

    @extend_schema(operation_id="datasets_profile", parameters=[_STORED], responses={200: serializers.ProfileShape, **errors(400, 404, 429)})
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Counts, ranges, distributions and common values of each column. Computed when it is first asked for; then it stays."""
        version = _version(request, slug, name, number)
        profile = dataset_profile(version=version, compute=not self.query.get("stored", False))
        return Response({"row_count": version.row_count, "columns": profile.columns, "fault": profile.fault})


class DatasetContentView(ApiView):
    """A download."""

    @extend_schema(
        operation_id="datasets_content",
        parameters=[_AS],
        responses={**{(200, kind.partition(";")[0]): OpenApiTypes.BINARY for kind in MEDIA_TYPES.values()}, **errors(400, 404, 429)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> FileStream:
        """The table as a file."""
        version = _version(request, slug, name, number)
        wanted = self.query.get("as", version.format)
        if wanted not in (version.format, "csv", "parquet"):
            raise Invalid("as: has to be csv or parquet.", detail={"as": "has to be csv or parquet"})
        file_name = f"{name}-v{version.number}.{wanted}"
        if wanted == version.format:
            return _stored(version, file_name)
        return _converted(version, wanted, file_name)


def _stored(version: DatasetVersion, file_name: str) -> FileStream:
    try:
        file = storage.object_open(version.storage_key)
    except FileNotFoundError as error:
        raise content_missing(version) from error
    return attachment(file, name=file_name, media_type=MEDIA_TYPES[version.format], length=version.size_bytes)


def _converted(version: DatasetVersion, wanted: str, file_name: str) -> FileStream:
    """The copy lives as long as it is sent."""
    stack: contextlib.ExitStack = contextlib.ExitStack()
    try:
        path: Path = stack.enter_context(dataset_version_converted(version=version, to=wanted))
        file: Any = stack.enter_context(path.open("rb"))
    except BaseException:
        stack.close()
        raise
    return attachment(file, name=file_name, media_type=MEDIA_TYPES[wanted], length=path.stat().st_size, on_close=stack.close)
