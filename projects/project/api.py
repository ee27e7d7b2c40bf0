"""REST views of projects."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, validated
from projects.core.access import fetched_role, project_for, projects_visible_to
from projects.models import Project, Role
from projects.project import shapes
from projects.project.write import project_create, project_etag, project_update
from projects.storage.quota import stored_bytes, stored_bytes_max


def _answer(project: Project, role: str, status: int = 200) -> Response:
    return Response(
        shapes.project(project, role), status=status, headers={"ETag": project_etag(project)}
    )


class ProjectsView(ApiView):
    """Projects that you can see."""

    @extend_schema(
        operation_id="projects_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("ProjectList", shapes.ProjectShape), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        """List every project of which you are a member, by slug."""
        page = paginate(projects_visible_to(caller(request)), request, keys=("slug",))
        return Response(
            {
                "results": [shapes.project(row, fetched_role(row)) for row in page.results],
                "next": page.next,
            }
        )

    @extend_schema(
        operation_id="projects_create",
        request=shapes.ProjectRequest,
        responses={201: shapes.ProjectShape, **errors(400, 409, 413)},
    )
    def post(self, request: Request) -> Response:
        """Create a project. You become its maintainer."""
        project = project_create(user=caller(request), **validated(shapes.ProjectRequest, request))
        return _answer(project, Role.MAINTAINER, 201)


class ProjectView(ApiView):
    """One project."""

    @extend_schema(
        operation_id="projects_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.ProjectDetail, **NOT_MODIFIED, **errors(404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Read the project, with your role in it."""
        project = project_for(caller(request), slug)
        most = stored_bytes_max(project)
        body: shapes.ProjectDetailBody = {
            **shapes.project(project, fetched_role(project)),
            "stored_bytes": stored_bytes(project),
            "stored_bytes_max": most or None,
        }
        return Response(body, headers={"ETag": project_etag(project)})

    @extend_schema(
        operation_id="projects_update",
        parameters=[IF_MATCH],
        request=shapes.ProjectChange,
        responses={200: shapes.ProjectShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change name, description, status or settings.

        An archived project starts no jobs and cannot be changed until it is active again.
        """
        project = project_for(caller(request), slug, Role.MAINTAINER)
        role = fetched_role(project)
        changed = project_update(
            project=project,
            etags=preconditions(request),
            **validated(shapes.ProjectChange, request),
        )
        return _answer(changed, role)
