"""REST views for signing in and out, and for API tokens."""

from typing import Any
from uuid import UUID

from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.parsers import SmallJSONParser
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, validated
from mimir.lib.errors import NotAuthenticated
from projects.tokens import shapes
from projects.tokens.account_api import token_of, verified
from projects.tokens.read import token_get, token_list
from projects.tokens.write import (
    session_create,
    session_delete,
    token_create,
    token_delete,
    token_etag,
)
from projects.users.hashing import hash_slot
from projects.users.lockout import client_network


class SessionView(ApiView):
    """The present session."""

    parser_classes = (SmallJSONParser,)

    def get_permissions(self) -> Any:
        return [AllowAny() if self.request.method == "POST" else IsAuthenticated()]

    def get_authenticators(self) -> Any:
        # An invalid token in the header must not prevent signing in again.
        return (
            []
            if self.request is not None and self.request.method == "POST"
            else super().get_authenticators()
        )

    @extend_schema(
        operation_id="session_create",
        request=shapes.SessionRequest,
        responses={201: shapes.SessionCreated, **errors(400, 403, 429)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Sign in.

        429 for 15 minutes after ten wrong passwords for a user name from one address, 40 from one
        address or 100 for one name. 429 for some seconds during too many concurrent sign-ins.
        """
        body = validated(shapes.SessionRequest, request)
        django_request = request._request
        with hash_slot(client_network(django_request) or ""):
            user = verified(django_request, body["username"], body["password"])
        if user is None:
            raise NotAuthenticated(
                "The user name or the password is wrong.", code="bad_credentials"
            )
        user_logged_in.send(sender=type(user), request=django_request, user=user)
        created = session_create(
            user=user,
            address=django_request.META.get("REMOTE_ADDR") or "",
            client=django_request.headers.get("User-Agent", ""),
        )
        return Response({"token": created.token, "expires_at": created.row.expires_at}, status=201)

    @extend_schema(operation_id="session_read", responses={200: shapes.SessionInfo, **errors()})
    def get(self, request: Request) -> Response:
        """Read the user and the expiry of this token."""
        return Response(
            {
                "username": request.user.get_username(),
                "is_staff": bool(request.user.is_staff),
                "expires_at": token_of(request).expires_at,
            }
        )

    @extend_schema(
        operation_id="session_delete",
        request=None,
        responses={204: OpenApiResponse(description="Signed out."), **errors(409)},
    )
    def delete(self, request: Request) -> Response:
        """Sign out: end this session."""
        session_delete(session=token_of(request))
        return Response(status=204)


class TokensView(ApiView):
    """Your API tokens."""

    @extend_schema(
        operation_id="tokens_list",
        parameters=[CURSOR, LIMIT],
        responses={200: listing("TokenList", shapes.Token), **errors(400)},
    )
    def get(self, request: Request) -> Response:
        """List your tokens, newest first, without their secrets."""
        page = paginate(token_list(user=caller(request)), request, keys=("-created_at", "-id"))
        return Response({"results": [shapes.token(row) for row in page.results], "next": page.next})

    @extend_schema(
        operation_id="tokens_create",
        request=shapes.TokenRequest,
        responses={201: shapes.TokenCreated, **errors(400, 429)},
    )
    def post(self, request: Request) -> Response:
        """Create an API token. It is shown once."""
        body = validated(shapes.TokenRequest, request)
        created = token_create(
            user=caller(request),
            name=body["name"],
            expires_at=body.get("expires_at"),
            parent=token_of(request),
        )
        return Response({**shapes.token(created.row), "token": created.token}, status=201)


class TokenView(ApiView):
    """One API token."""

    @extend_schema(
        operation_id="tokens_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.Token, **NOT_MODIFIED, **errors(404)},
    )
    def get(self, request: Request, token_id: UUID) -> Response:
        """Read a token, without its secret."""
        row = token_get(user=caller(request), token_id=token_id)
        return Response(shapes.token(row), headers={"ETag": token_etag(row)})

    @extend_schema(
        operation_id="tokens_delete",
        parameters=[IF_MATCH],
        request=None,
        responses={204: OpenApiResponse(description="Deleted."), **errors(404, 412)},
    )
    def delete(self, request: Request, token_id: UUID) -> Response:
        """Delete a token. It becomes invalid immediately."""
        token_delete(user=caller(request), token_id=token_id, etags=preconditions(request))
        return Response(status=204)
