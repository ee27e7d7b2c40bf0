"""Recommended limits of a producer."""

from collections.abc import Mapping

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.serializers_recommendation import Recommendation
from jobs.core.sizing import RUNS_MAX, RUNS_MIN
from jobs.lifecycle.measured_runs import producer_sizing
from jobs.queries.recommendation import recommendation_dict
from jobs.types.registry import job_type_names
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller
from mimir.lib.errors import Invalid
from projects.core.access import project_for

_NAME = OpenApiParameter(
    "name",
    {"type": "string", "minLength": 1, "maxLength": 200},
    required=True,
    description="Name of the pipeline, or of the dataset, model or twin that the jobs write.",
)


def _required(query: Mapping[str, str]) -> tuple[str, str]:
    """Return type and name. Raises: Invalid if one is missing."""
    missing = {name: "is missing" for name in ("type", "name") if name not in query}
    if missing:
        raise Invalid(" ".join(f"{name}: is missing." for name in missing), detail=missing)
    return query["type"], query["name"]


class RecommendationView(ApiView):
    """Recommended limits."""

    @extend_schema(
        operation_id="recommendation",
        parameters=[
            OpenApiParameter("type", OpenApiTypes.STR, enum=job_type_names(), required=True),
            _NAME,
        ],
        responses={200: Recommendation, **errors(400, 404)},
        description=f"The measured use of the last {RUNS_MAX} ended runs, and the limits that fit"
        f" them. A limit is null with fewer than {RUNS_MIN} measured runs, and if it does not"
        " differ clearly from the limit of the newest run.",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Recommend limits from the last runs of a pipeline, dataset, model or twin."""
        project = project_for(caller(request), slug)
        job_type, name = _required(self.query)
        sizing = producer_sizing(project_id=project.id, job_type=job_type, name=name)
        return Response(recommendation_dict(sizing, sizing.newest))
