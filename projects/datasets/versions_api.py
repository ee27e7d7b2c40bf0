"""REST view of one dataset version: its changes, its uses and its deletion."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.schema import IF_MATCH, IF_NONE_MATCH, NOT_MODIFIED, errors
from mimir.api.views import ApiView, caller
from projects.core.access import project_for
from projects.core.origins import VersionKind, version_origins
from projects.core.uses import dataset_version_uses
from projects.core.version_numbers import version_number
from projects.datasets import shapes
from projects.datasets.read import dataset_version_before, dataset_version_get
from projects.datasets.versions_write import dataset_etag, dataset_version_delete
from projects.models import Role


class DatasetVersionView(ApiView):
    """One version; `latest` stands for the current one."""

    @extend_schema(
        operation_id="datasets_version_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.DatasetVersionDetail, **NOT_MODIFIED, **errors(404)},
    )
    def get(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Read the version, its column changes and its uses.

        Changes are since the previous version. The uses prevent its deletion.
        """
        version = dataset_version_get(
            project=project_for(caller(request), slug), name=name, number=version_number(number)
        )
        answer = shapes.dataset_version_detail(
            version,
            version_origins(VersionKind.DATASET, [version.id]),
            before=dataset_version_before(version),
            uses=dataset_version_uses(
                dataset=version.dataset, version_id=version.id, number=version.number
            ),
        )
        return Response(answer, headers={"ETag": dataset_etag(version.dataset)})

    @extend_schema(
        operation_id="datasets_version_delete",
        parameters=[IF_MATCH],
        request=None,
        responses={204: OpenApiResponse(description="Deleted."), **errors(403, 404, 409, 412)},
    )
    def delete(self, request: Request, slug: str, name: str, number: str) -> Response:
        """Delete an unused version with its file.

        409 `in_use` for the current version and for a version in use.
        """
        version = dataset_version_get(
            project=project_for(caller(request), slug, Role.MAINTAINER),
            name=name,
            number=version_number(number),
        )
        dataset_version_delete(
            dataset=version.dataset, number=version.number, etags=preconditions(request)
        )
        return Response(status=204)
