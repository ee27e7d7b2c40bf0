"""REST views of your own password and sessions."""

from typing import Any
from uuid import UUID

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate
from django.http import HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.pagination import paginate
from mimir.api.schema import CURSOR, LIMIT, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import Invalid
from projects.models import AccessToken
from projects.tokens import shapes
from projects.tokens.read import session_list
from projects.tokens.write import session_end
from projects.users.lockout import client_network, locked
from projects.users.passwords import password_change, sessions_end

OTHERS = OpenApiParameter(
    "others", OpenApiTypes.BOOL, description="true: keep the session of this request."
)


def verified(request: HttpRequest, username: str, password: str) -> Any:
    """Return the user with this name and password, or None.

    Raises: TooMany after too many wrong passwords, and for too many concurrent sign-ins.
    """
    credentials = {"username": username, "password": password}
    if AxesProxyHandler.is_locked(request, credentials):
        raise locked()
    return authenticate(request, **credentials)


def token_of(request: Request) -> AccessToken:
    """Return the row of the token of this request."""
    token: Any = request.auth
    assert isinstance(token, AccessToken)
    return token


class PasswordView(ApiView):
    """Your password."""

    @extend_schema(
        operation_id="password_change",
        request=shapes.PasswordRequest,
        responses={200: shapes.PasswordChanged, **errors(400, 429)},
    )
    def post(self, request: Request) -> Response:
        """Change your password.

        All other sessions end, and all API tokens unless `end_tokens` is false.
        """
        body = validated(shapes.PasswordRequest, request)
        user = caller(request)
        if verified(request._request, user.get_username(), body["current_password"]) is None:
            raise Invalid(
                "current_password: it is wrong. Enter your current password.",
                detail={"current_password": "is wrong"},
                code="bad_credentials",
            )
        if body["new_password"] == body["current_password"]:
            raise Invalid(
                "new_password: it is the current one. Choose a different password.",
                detail={"new_password": "is the current one"},
            )
        ended = password_change(
            user=user,
            new_password=body["new_password"],
            keep=token_of(request),
            end_tokens=body["end_tokens"],
            address=client_network(request._request) or "",
        )
        return Response({"ended_sessions": ended.sessions, "ended_tokens": ended.tokens})


class SessionsView(ApiView):
    """Your sessions."""

    @extend_schema(
        operation_id="sessions_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("SessionList", shapes.Session), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        """List your sessions, newest first, without those of the admin.

        `DELETE` ends the sessions of the admin, too.
        """
        page = paginate(session_list(user=caller(request)), request, keys=("-created_at", "-id"))
        return Response(
            {
                "results": [shapes.session(row, token_of(request)) for row in page.results],
                "next": page.next,
            }
        )

    @extend_schema(
        operation_id="sessions_delete",
        parameters=[OTHERS],
        request=None,
        responses={200: shapes.SessionsEnded, **errors(400)},
    )
    def delete(self, request: Request) -> Response:
        """Sign out everywhere: end all your sessions, also in the admin. API tokens stay valid."""
        keep = token_of(request) if self.query.get("others") else None
        return Response({"ended_sessions": sessions_end(user=caller(request), keep=keep)})


class SessionDetailView(ApiView):
    """One of your sessions."""

    @extend_schema(
        operation_id="sessions_end",
        request=None,
        responses={204: OpenApiResponse(description="Ended."), **errors(404)},
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        """End one session."""
        session_end(user=caller(request), session_id=session_id)
        return Response(status=204)
