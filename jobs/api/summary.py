"""Summary of a project."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers_summary
from jobs.queries.summary import project_summary
from mimir.api.schema import errors
from mimir.api.views import ApiView, caller
from projects.core.access import project_for


class SummaryView(ApiView):
    """Data of the project's home page."""

    @extend_schema(
        operation_id="projects_summary", responses={200: serializers_summary.Summary, **errors(404)}
    )
    def get(self, request: Request, slug: str) -> Response:
        """Show failures, the last 24 hours, new and latest results, and usage of the project."""
        user = caller(request)
        return Response(project_summary(project=project_for(user, slug), user=user))
