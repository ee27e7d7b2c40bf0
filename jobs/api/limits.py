"""Limits and pauses, for site administrators."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.admission.limits import limit_set, limits_etag
from jobs.api import serializers
from jobs.models import Limit
from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors
from mimir.api.views import ApiView, demand_administrator, validated

_ADMINISTRATORS_ONLY = "Only site administrators can manage limits."


def _shape(row: Limit) -> dict[str, object]:
    return {"scope": row.scope, "key": row.key, "max_jobs": row.max_jobs, "paused": row.paused}


class LimitsView(ApiView):
    """Limits and pauses that admission applies in addition to the capacity of the clusters."""

    @extend_schema(
        operation_id="limits_list",
        parameters=[CURSOR, LIMIT, IF_NONE_MATCH],
        responses={200: serializers.LimitsShape, **NOT_MODIFIED, **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List all limits and pauses."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        etag = (
            limits_etag()
            # Read before the rows. If they change in between, a later change with this older tag
            # is refused. With a tag newer than the rows it would be accepted.
        )
        page = paginate(Limit.objects.all(), request, keys=("scope", "key"))
        return Response(
            {"results": [_shape(row) for row in page.results], "next": page.next},
            headers={"ETag": etag},
        )

    @extend_schema(
        operation_id="limits_set",
        parameters=[IF_MATCH],
        request=serializers.LimitChange,
        responses={200: serializers.LimitShape, **errors(400, 403, 412)},
    )
    def patch(self, request: Request) -> Response:
        """Set one limit or pause. Admission applies it at once."""
        demand_administrator(request, _ADMINISTRATORS_ONLY)
        body = validated(serializers.LimitChange, request)
        row = limit_set(
            actor=f"user:{request.user.get_username()}", etags=preconditions(request), **body
        )
        return Response(_shape(row), headers={"ETag": limits_etag()})
