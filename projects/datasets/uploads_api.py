"""REST views of staged uploads: send a file once, check its reading, then accept or delete it."""

from functools import partial
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.pagination import paginate
from mimir.api.parsers import JSONParser
from mimir.api.schema import CURSOR, LIMIT, errors, listing
from mimir.api.views import ApiView, caller, validated
from projects.core.access import project_for
from projects.datasets import shapes, upload_responses, upload_shapes
from projects.datasets.read import dataset_version_before
from projects.datasets.upload_bodies import staged_upload
from projects.datasets.upload_forms import form_file, form_options
from projects.datasets.upload_sheets import SheetDataset, upload_accept_sheets
from projects.datasets.uploads_read import upload_get, uploads_of
from projects.datasets.uploads_write import (
    read_options,
    upload_accept,
    upload_append,
    upload_delete,
    upload_read_again,
    upload_stage,
)
from projects.models import Role, StagedUpload


def _upload(request: Request, slug: str, upload_id: UUID) -> StagedUpload:
    user = caller(request)
    return upload_get(
        project=project_for(user, slug, Role.MAINTAINER), user=user, upload_id=upload_id
    )


class UploadsView(ApiView):
    """Your staged uploads in a project."""

    parser_classes = (MultiPartParser, JSONParser)

    @extend_schema(
        operation_id="uploads_list",
        parameters=[CURSOR, LIMIT],
        responses={
            200: listing("UploadList", upload_responses.StagedUploadShape),
            **errors(400, 403, 404),
        },
    )
    def get(self, request: Request, slug: str) -> Response:
        """List your uploads that are not accepted, newest first.

        `reading` is null here. Read a single upload to get it.
        """
        user = caller(request)
        page = paginate(
            uploads_of(project=project_for(user, slug, Role.MAINTAINER), user=user),
            request,
            keys=("-id",),
        )
        return Response(
            {
                "results": [{**staged_upload(row), "reading": None} for row in page.results],
                "next": page.next,
            }
        )

    @extend_schema(
        operation_id="uploads_stage",
        request={"multipart/form-data": upload_shapes.StageRequest},
        responses={201: upload_responses.StagedUploadShape, **errors(400, 403, 404, 409, 413, 429)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Upload a file without creating a version. It expires after a day.

        A file that cannot be read is kept, with its `fault`.
        """
        user = caller(request)
        project = project_for(user, slug, Role.MAINTAINER)
        body = validated(upload_shapes.StageRequest, request)
        sent = form_file(body["file"])
        upload = upload_stage(project=project, upload=sent, options=form_options(body), user=user)
        return Response(staged_upload(upload), status=201)


class UploadView(ApiView):
    """One staged upload."""

    @extend_schema(
        operation_id="uploads_read",
        responses={200: upload_responses.StagedUploadShape, **errors(403, 404)},
    )
    def get(self, request: Request, slug: str, upload_id: UUID) -> Response:
        """Read a staged upload with the result of its last reading."""
        return Response(staged_upload(_upload(request, slug, upload_id)))

    @extend_schema(
        operation_id="uploads_change",
        request=upload_shapes.UploadChange,
        responses={200: upload_responses.StagedUploadShape, **errors(400, 403, 404, 409, 429)},
    )
    def patch(self, request: Request, slug: str, upload_id: UUID) -> Response:
        """Read the file again with other options."""
        upload = _upload(request, slug, upload_id)
        body = validated(upload_shapes.UploadChange, request)
        changed = upload_read_again(
            upload=upload, options=read_options(body["options"]), sample=body["sample"]
        )
        return Response(staged_upload(changed))

    @extend_schema(operation_id="uploads_delete", responses={204: None, **errors(403, 404)})
    def delete(self, request: Request, slug: str, upload_id: UUID) -> Response:
        """Delete the upload and its file."""
        upload_delete(upload=_upload(request, slug, upload_id))
        return Response(status=204)


class UploadAcceptView(ApiView):
    """Accept a staged upload as a dataset version."""

    @extend_schema(
        operation_id="uploads_accept",
        request=upload_shapes.UploadAccept,
        responses={201: shapes.DatasetCreated, **errors(400, 403, 404, 409, 413, 429)},
    )
    def post(self, request: Request, slug: str, upload_id: UUID) -> Response:
        """Store the upload as the next version of the dataset `name`.

        The whole file is read with its options. The upload then no longer exists. With `append_to`,
        the new version has the rows of that version, then those of the file, which must have the
        same columns.
        """
        upload = _upload(request, slug, upload_id)
        body = validated(upload_shapes.UploadAccept, request)
        accept = (
            upload_accept
            if body["append_to"] is None
            else partial(upload_append, to=body["append_to"])
        )
        version = accept(
            upload=upload,
            name=body["name"],
            user=caller(request),
            make_current=body["make_current"],
        )
        created = shapes.dataset_version_detail(
            version, {}, before=dataset_version_before(version), uses=None
        )
        return Response({"name": body["name"], "version": created}, status=201)


class UploadAcceptSheetsView(ApiView):
    """Accept sheets of a staged workbook as dataset versions."""

    @extend_schema(
        operation_id="uploads_accept_sheets",
        request=upload_shapes.UploadAcceptSheets,
        responses={201: upload_responses.DatasetsCreated, **errors(400, 403, 404, 409, 413, 429)},
    )
    def post(self, request: Request, slug: str, upload_id: UUID) -> Response:
        """Store each sheet as the next version of its dataset: all of them or none.

        The upload then no longer exists. All sheets are read with the upload's other options. Each
        version has a copy of the uploaded file, which counts towards the project's quota.
        """
        upload = _upload(request, slug, upload_id)
        body = validated(upload_shapes.UploadAcceptSheets, request)
        types = (
            None
            if body.get("types") is None
            else dict(read_options({"types": body["types"]}).types)
        )
        versions = upload_accept_sheets(
            upload=upload,
            datasets=[SheetDataset(one["sheet"], one["name"]) for one in body["datasets"]],
            types=types,
            user=caller(request),
            make_current=body["make_current"],
        )
        created = [
            {
                "name": one["name"],
                "version": shapes.dataset_version_detail(
                    version, {}, before=dataset_version_before(version), uses=None
                ),
            }
            for one, version in zip(body["datasets"], versions, strict=True)
        ]
        return Response({"datasets": created}, status=201)
