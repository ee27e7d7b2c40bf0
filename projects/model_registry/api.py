"""REST views of trained models: list, details of a version, download."""

from typing import IO

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.downloads import Representation, download, file_sender
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, DOWNLOAD, LIMIT, download_responses, errors, listing
from mimir.api.views import ApiView, caller
from projects.core.access import project_for
from projects.core.origins import VersionKind, version_origins
from projects.core.version_numbers import version_number
from projects.model_registry import shapes
from projects.model_registry.read import (
    content_missing,
    model_get,
    model_latest_versions,
    model_version_get,
    model_versions,
)
from projects.models import ModelVersion
from projects.storage import artifacts

MEDIA_TYPE = "application/octet-stream"


class ModelsView(ApiView):
    """The models of a project."""

    @extend_schema(
        operation_id="models_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("ModelList", shapes.ModelShape), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List every model with its newest version, by name."""
        page = paginate(
            model_latest_versions(project=project_for(caller(request), slug)),
            request,
            keys=("model__name",),
        )
        origins = version_origins(VersionKind.MODEL, [row.id for row in page.results])
        rows = [
            {
                "name": row.model.name,
                "created_at": row.model.created_at,
                "version": shapes.model_version(row, origins),
            }
            for row in page.results
        ]
        return Response({"results": rows, "next": page.next})


class ModelView(ApiView):
    """One model."""

    @extend_schema(
        operation_id="models_read",
        parameters=[CURSOR, LIMIT],
        responses={200: shapes.ModelVersions, **errors(400, 404)},
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the versions of a model, newest first."""
        model = model_get(project=project_for(caller(request), slug), name=name)
        page = paginate(model_versions(model=model), request, keys=("-number",))
        origins = version_origins(VersionKind.MODEL, [row.id for row in page.results])
        versions = [shapes.model_version(row, origins) for row in page.results]
        return Response(
            {
                "name": model.name,
                "created_at": model.created_at,
                "versions": versions,
                "next": page.next,
            }
        )


def _version(request: Request, slug: str, name: str, number: str) -> ModelVersion:
    return model_version_get(
        project=project_for(caller(request), slug), name=name, number=version_number(number)
    )


class ModelVersionView(ApiView):
    """One version."""

    @extend_schema(
        operation_id="models_version",
        responses={200: shapes.ModelVersionDetail, **errors(404)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Read training settings, metrics and signature of a version."""
        version = _version(request, slug, name, number)
        return Response(
            shapes.model_version_detail(version, version_origins(VersionKind.MODEL, [version.id]))
        )


class ModelContentView(ApiView):
    """The file of a version."""

    @extend_schema(
        operation_id="models_content", parameters=DOWNLOAD, responses=download_responses(MEDIA_TYPE)
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> HttpResponseBase:
        """Download the model as a skops file.

        Load it with a fixed list of trusted types, as every worker does.
        """
        version = _version(request, slug, name, number)

        def open_file() -> IO[bytes]:
            try:
                return artifacts.open_file(version.storage_key)
            except FileNotFoundError as error:
                raise content_missing(version) from error

        content = Representation(
            etag=f'"{version.sha256}"',
            size_bytes=version.size_bytes,
            media_type=MEDIA_TYPE,
            name=f"{name}-v{version.number}.skops",
            send=file_sender(open_file, size_bytes=version.size_bytes),
            modified_at=version.created_at,
        )
        return download(request, content)
