"""REST views of datasets: upload, list, preview, download."""

import contextlib
import hashlib
from typing import IO

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.downloads import Representation, download, file_sender
from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.parsers import JSONParser
from mimir.api.query import flag, whole_number
from mimir.api.schema import (
    CURSOR,
    DOWNLOAD,
    IF_MATCH,
    IF_NONE_MATCH,
    LIMIT,
    NOT_MODIFIED,
    download_responses,
    errors,
    listing,
)
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects.core.access import project_for
from projects.core.origins import VersionKind, version_origins
from projects.core.version_numbers import version_number
from projects.datasets import shapes, upload_shapes
from projects.datasets.profile import dataset_profile
from projects.datasets.read import (
    content_missing,
    dataset_current_versions,
    dataset_get,
    dataset_version_before,
    dataset_version_converted,
    dataset_version_get,
    dataset_version_rows,
    dataset_versions,
)
from projects.datasets.upload_forms import form_file, form_options
from projects.datasets.uploads_write import dataset_upload
from projects.datasets.versions_write import dataset_delete, dataset_etag, dataset_set_current
from projects.models import Dataset, DatasetVersion, Role
from projects.storage import artifacts

ROWS_DEFAULT, ROWS_MAX = 50, 1000
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "excel": "application/octet-stream",  # .xlsx, .xls or .ods
    "packed": "application/octet-stream",
}
_AS = OpenApiParameter(
    "as",
    OpenApiTypes.STR,
    enum=["original", "csv", "parquet", "jsonl", "json", "arrow", "excel"],
    description="original (default): the file as uploaded. csv, parquet: the table in that format."
    " Others: only if the file was uploaded in that format.",
)

_STORED = flag(
    "stored",
    "true: return stored statistics only; 404 `not_computed` if there are none.",
)


class DatasetsView(ApiView):
    """The datasets of a project."""

    parser_classes = (MultiPartParser, JSONParser)

    @extend_schema(
        operation_id="datasets_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("DatasetList", shapes.DatasetShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List every dataset with its current version, by name."""
        project = project_for(caller(request), slug)
        page = paginate(dataset_current_versions(project=project), request, keys=("dataset__name",))
        origins = version_origins(VersionKind.DATASET, [row.id for row in page.results])
        rows = [
            {
                "name": row.dataset.name,
                "created_at": row.dataset.created_at,
                "version": shapes.dataset_version(row, origins),
            }
            for row in page.results
        ]
        return Response({"results": rows, "next": page.next})

    @extend_schema(
        operation_id="datasets_upload",
        request={"multipart/form-data": upload_shapes.UploadRequest},
        responses={201: shapes.DatasetCreated, **errors(400, 403, 404, 409, 413, 429)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Upload a table as the next version of a dataset.

        Accepts CSV, JSON, Parquet, Arrow and Excel, also as .gz, .zst or .zip. The content decides
        the format, not the file name. Options that are not given are detected; `warnings` of the
        answer list changes and observations. To check the result before a version exists, use the
        uploads of the project.
        """
        project = project_for(caller(request), slug, Role.MAINTAINER)
        body = validated(upload_shapes.UploadRequest, request)
        sent = form_file(body["file"])
        version = dataset_upload(
            project=project,
            name=body["name"],
            file=sent.file,
            path=sent.path,
            size_bytes=sent.size_bytes,
            options=form_options(body),
            user=caller(request),
            make_current=body["make_current"],
        )
        detail = shapes.dataset_version_detail(
            version, {}, before=dataset_version_before(version), uses=None
        )
        return Response({"name": body["name"], "version": detail}, status=201)


class DatasetView(ApiView):
    """One dataset."""

    @extend_schema(
        operation_id="datasets_read",
        parameters=[CURSOR, LIMIT, IF_NONE_MATCH],
        responses={200: shapes.DatasetVersions, **NOT_MODIFIED, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the versions of a dataset, newest first."""
        return self._answer(
            request, dataset_get(project=project_for(caller(request), slug), name=name)
        )

    @extend_schema(
        operation_id="datasets_update",
        parameters=[IF_MATCH],
        request=shapes.DatasetChange,
        responses={200: shapes.DatasetVersions, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Make another version current: jobs that name no version read it.

        The next new version becomes current again.
        """
        dataset = dataset_get(
            project=project_for(caller(request), slug, Role.MAINTAINER), name=name
        )
        number = validated(shapes.DatasetChange, request)["current_version"]
        return self._answer(
            request,
            dataset_set_current(dataset=dataset, number=number, etags=preconditions(request)),
        )

    @extend_schema(
        operation_id="datasets_delete",
        parameters=[IF_MATCH],
        request=None,
        responses={204: OpenApiResponse(description="Deleted."), **errors(403, 404, 409, 412)},
    )
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Delete the dataset with all its versions. 409 `in_use` lists the uses that prevent it."""
        dataset = dataset_get(
            project=project_for(caller(request), slug, Role.MAINTAINER), name=name
        )
        dataset_delete(dataset=dataset, etags=preconditions(request))
        return Response(status=204)

    def _answer(self, request: Request, dataset: Dataset) -> Response:
        page = paginate(dataset_versions(dataset=dataset), request, keys=("-number",))
        origins = version_origins(VersionKind.DATASET, [row.id for row in page.results])
        body = {
            "name": dataset.name,
            "created_at": dataset.created_at,
            "current_version": dataset.current,
            "versions": [shapes.dataset_version(row, origins) for row in page.results],
            "next": page.next,
        }
        return Response(body, headers={"ETag": dataset_etag(dataset)})


def _version(request: Request, slug: str, name: str, number: str) -> DatasetVersion:
    return dataset_version_get(
        project=project_for(caller(request), slug), name=name, number=version_number(number)
    )


class DatasetRowsView(ApiView):
    """The first rows of a version."""

    @extend_schema(
        operation_id="datasets_rows",
        parameters=[whole_number("limit", "Rows.", minimum=1, maximum=ROWS_MAX)],
        responses={200: shapes.Rows, **errors(400, 404, 429)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Preview the first rows: numbers and booleans as they are, other values as text."""
        version = _version(request, slug, name, number)
        shown = dataset_version_rows(
            version=version, limit=self.query.get("limit", ROWS_DEFAULT), user=caller(request)
        )
        return Response(
            {"columns": shown.columns, "rows": shown.rows, "truncated": shown.truncated}
        )


class DatasetProfileView(ApiView):
    """Column statistics of a version."""

    @extend_schema(
        operation_id="datasets_profile",
        parameters=[_STORED],
        responses={200: shapes.ProfileShape, **errors(400, 404, 429)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Read counts, ranges, distributions and common values of each column.

        Computed at the first request, then stored.
        """
        version = _version(request, slug, name, number)
        profile = dataset_profile(
            version=version, compute=not self.query.get("stored", False), user=caller(request)
        )
        return Response(
            {"row_count": version.row_count, "columns": profile.columns, "fault": profile.fault}
        )


class DatasetContentView(ApiView):
    """The file of a version."""

    @extend_schema(
        operation_id="datasets_content",
        parameters=[_AS, *DOWNLOAD],
        responses={
            **download_responses(MEDIA_TYPES["parquet"]),
            **download_responses("application/x-ndjson", "text/csv", type=OpenApiTypes.STR),
            **errors(429),
        },
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> HttpResponseBase:
        """Download the table as a file.

        Supports byte ranges, conditional requests and gzip. The ETag is the SHA-256 of the bytes.
        """
        version = _version(request, slug, name, number)
        wanted = self.query.get("as", "original")
        if wanted == "original" or (wanted == version.format and not version.packing):
            return download(request, _original(version, f"{name}-v{version.number}"))
        file_name = f"{name}-v{version.number}.{wanted}"
        if wanted == "parquet" and version.table_key:
            return download(request, _table(version, file_name))
        if wanted not in ("csv", "parquet"):
            raise Invalid(
                "as: must be original, csv or parquet.",
                detail={"as": "must be original, csv or parquet"},
            )
        return _converted(request, version, wanted, file_name)


_EXTENSIONS = {"gzip": ".gz", "zstd": ".zst", "bzip2": ".bz2", "xz": ".xz", "zip": ".zip"}


def _original(version: DatasetVersion, base: str) -> Representation:
    """Return the file as uploaded."""
    extension = f".{version.format}" if version.format != "excel" else ".xlsx"
    name = f"{base}{extension}{_EXTENSIONS.get(version.packing, '')}"
    media_type = MEDIA_TYPES["packed" if version.packing else version.format]
    is_text = not version.packing and version.format in ("csv", "jsonl", "json")
    return _stored(
        version,
        version.storage_key,
        version.size_bytes,
        version.sha256,
        name,
        media_type,
        is_text=is_text,
    )


def _table(version: DatasetVersion, name: str) -> Representation:
    """Return the stored Parquet table."""
    return _stored(
        version,
        version.table_key,
        version.table_size_bytes,
        version.table_sha256,
        name,
        MEDIA_TYPES["parquet"],
    )


def _stored(
    version: DatasetVersion,
    key: str,
    size_bytes: int,
    sha256: str,
    name: str,
    media_type: str,
    *,
    is_text: bool = False,
) -> Representation:
    def open_file() -> IO[bytes]:
        try:
            return artifacts.open_file(key)
        except FileNotFoundError as error:
            raise content_missing(version) from error

    return Representation(
        etag=f'"{sha256}"',
        size_bytes=size_bytes,
        media_type=media_type,
        name=name,
        send=file_sender(open_file, size_bytes=size_bytes),
        is_text=is_text,
        modified_at=version.created_at,
    )


def _converted(
    request: Request, version: DatasetVersion, wanted: str, file_name: str
) -> HttpResponseBase:
    """Convert the table and send the file.

    The file is already unlinked while it is sent: a slow client does not hold a conversion slot.
    """
    with contextlib.ExitStack() as stack:
        with dataset_version_converted(version=version, to=wanted, user=caller(request)) as path:
            file = stack.enter_context(path.open("rb"))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()

        def rewound() -> IO[bytes]:
            file.seek(0)
            return file

        content = Representation(
            etag=f'"{digest}"',
            size_bytes=size,
            media_type=MEDIA_TYPES[wanted],
            name=file_name,
            send=file_sender(rewound, size_bytes=size),
            is_text=wanted != "parquet",
            modified_at=version.created_at,
        )
        response = download(request, content)
        response._resource_closers.append(stack.pop_all().close)  # type: ignore[attr-defined]
        return response
