"""REST views of the members of a project."""

from collections.abc import Callable

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.schema import (
    CURSOR,
    IF_MATCH,
    IF_NEW,
    IF_NONE_MATCH,
    LIMIT,
    NOT_MODIFIED,
    errors,
    listing,
)
from mimir.api.views import ApiView, caller, validated
from projects.core.access import project_for
from projects.members import shapes
from projects.members.read import member_get, member_list, user_find, user_of_body, user_of_path
from projects.members.write import (
    member_add,
    member_change,
    member_etag,
    member_remove,
    member_set,
)
from projects.models import Membership, Role


class MembersView(ApiView):
    """The members of a project."""

    @extend_schema(
        operation_id="members_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("MemberList", shapes.Member), **errors(400, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List members and their roles by user name."""
        project = project_for(caller(request), slug)
        page = paginate(
            member_list(project=project),
            request,
            keys=("user__username",),
        )
        return Response(
            {"results": [shapes.member(row) for row in page.results], "next": page.next}
        )

    @extend_schema(
        operation_id="members_add",
        request=shapes.MemberAddRequest,
        responses={201: shapes.Member, **errors(400, 403, 404, 409)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Add a user as a member. 400 for an unknown user, 409 for an existing member."""
        project = project_for(caller(request), slug, Role.MAINTAINER)
        body = validated(shapes.MemberAddRequest, request)
        return Response(
            shapes.member(
                member_add(
                    project=project, user=user_of_body(body["username"]), role=Role(body["role"])
                )
            ),
            status=201,
        )


class MemberView(ApiView):
    """One member.

    Only a site administrator can remove the last maintainer or lower their role: 409 for all
    others.
    """

    @extend_schema(
        operation_id="members_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.Member, **NOT_MODIFIED, **errors(404)},
    )
    def get(self, request: Request, slug: str, username: str) -> Response:
        """Read the member's role."""
        project = project_for(caller(request), slug)
        return _member(member_get(project=project, user=user_of_path(username)))

    @extend_schema(
        operation_id="members_set",
        parameters=[IF_MATCH, IF_NEW],
        request=shapes.MemberRequest,
        responses={200: shapes.Member, **errors(400, 403, 404, 409, 412)},
    )
    def put(self, request: Request, slug: str, username: str) -> Response:
        """Add a user as a member, or change their role."""
        return self._write(request, slug, username, member_set)

    @extend_schema(
        operation_id="members_change",
        parameters=[IF_MATCH],
        request=shapes.MemberRequest,
        responses={200: shapes.Member, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, slug: str, username: str) -> Response:
        """Change a member's role."""
        return self._write(request, slug, username, member_change)

    def _write(
        self, request: Request, slug: str, username: str, write: Callable[..., Membership]
    ) -> Response:
        project = project_for(caller(request), slug, Role.MAINTAINER)
        role = Role(validated(shapes.MemberRequest, request)["role"])
        return _member(
            write(
                project=project,
                user=user_of_path(username),
                role=role,
                by=caller(request),
                etags=preconditions(request),
            )
        )

    @extend_schema(
        operation_id="members_remove",
        parameters=[IF_MATCH],
        request=None,
        responses={204: OpenApiResponse(description="Removed."), **errors(403, 404, 409, 412)},
    )
    def delete(self, request: Request, slug: str, username: str) -> Response:
        """End a membership, if there is one."""
        project = project_for(caller(request), slug, Role.MAINTAINER)
        user = user_find(username)
        if user is not None:
            member_remove(
                project=project, user=user, by=caller(request), etags=preconditions(request)
            )
        return Response(status=204)


def _member(membership: Membership) -> Response:
    return Response(shapes.member(membership), headers={"ETag": member_etag(membership)})
