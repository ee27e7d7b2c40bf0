"""REST views of users for site administrators, and the public view of a password link."""

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from mimir.api.etags import preconditions
from mimir.api.pagination import paginate
from mimir.api.parsers import SmallJSONParser
from mimir.api.query import flag
from mimir.api.schema import CURSOR, IF_MATCH, IF_NONE_MATCH, LIMIT, NOT_MODIFIED, errors, listing
from mimir.api.views import ApiView, caller, demand_administrator, validated
from projects.users import shapes
from projects.users.lockout import client_network
from projects.users.read import project_count, user_get, user_list
from projects.users.write import (
    ONLY_ADMINISTRATORS,
    PasswordLink,
    password_link_check,
    password_link_create,
    password_link_use,
    user_change,
    user_create,
    user_etag,
)

SEARCH = OpenApiParameter(
    "q",
    {"type": "string", "maxLength": 150},
    description="Text to search in user name and e-mail address.",
)


def _user_body(user: User) -> shapes.UserBody:
    """Return a user as administrators see it."""
    return {
        "username": user.username,
        "email": user.email,
        "is_active": user.is_active,
        "is_superuser": user.is_superuser,
        "has_password": user.has_usable_password(),
        "last_sign_in_at": user.last_login,
        "created_at": user.date_joined,
        "projects": project_count(user),
    }


def _answer(user: User, status: int = 200) -> Response:
    return Response(_user_body(user), status=status, headers={"ETag": user_etag(user)})


def _link_body(link: PasswordLink) -> shapes.PasswordLinkBody:
    return {"uid": link.uid, "token": link.token, "path": link.path, "expires_at": link.expires_at}


class UsersView(ApiView):
    """All users, active and deactivated."""

    @extend_schema(
        operation_id="users_list",
        parameters=[
            CURSOR,
            LIMIT,
            SEARCH,
            flag("active", "true: only active users; false: only deactivated ones."),
            flag("administrator", "true: only site administrators; false: only others."),
        ],
        responses={200: listing("UserList", shapes.UserShape), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List users by name. For site administrators."""
        demand_administrator(request, ONLY_ADMINISTRATORS)
        rows = user_list(
            search=self.query.get("q", ""),
            is_active=self.query.get("active"),
            is_superuser=self.query.get("administrator"),
        )
        page = paginate(rows, request, keys=("username",))
        return Response({"results": [_user_body(row) for row in page.results], "next": page.next})

    @extend_schema(
        operation_id="users_create",
        request=shapes.UserRequest,
        responses={201: shapes.UserCreated, **errors(400, 403, 409)},
    )
    def post(self, request: Request) -> Response:
        """Create a user. The answer contains a link to set a password.

        The link is shown once and valid for 24 hours.
        """
        demand_administrator(request, ONLY_ADMINISTRATORS)
        user = user_create(**validated(shapes.UserRequest, request))
        link = password_link_create(user=user)
        return Response(
            {**_user_body(user), "password_link": _link_body(link)},
            status=201,
            headers={"ETag": user_etag(user)},
        )


class UserView(ApiView):
    """One user."""

    @extend_schema(
        operation_id="users_read",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.UserShape, **NOT_MODIFIED, **errors(403, 404)},
    )
    def get(self, request: Request, username: str) -> Response:
        """Read one user. For site administrators."""
        demand_administrator(request, ONLY_ADMINISTRATORS)
        return _answer(user_get(username=username))

    @extend_schema(
        operation_id="users_update",
        parameters=[IF_MATCH],
        request=shapes.UserChange,
        responses={200: shapes.UserShape, **errors(400, 403, 404, 409, 412)},
    )
    def patch(self, request: Request, username: str) -> Response:
        """Change the given fields. Removing access ends sessions and API tokens.

        409 for deactivating yourself, and for the last administrator.
        """
        demand_administrator(request, ONLY_ADMINISTRATORS)
        changes = validated(shapes.UserChange, request)
        return _answer(
            user_change(
                username=username,
                changes=changes,
                actor=caller(request),
                etags=preconditions(request),
            )
        )


class ResetLinkView(ApiView):
    """A link to set a new password, for users without one."""

    @extend_schema(
        operation_id="users_reset_link",
        request=None,
        responses={201: shapes.PasswordLinkShape, **errors(400, 403, 404, 409)},
    )
    def post(self, request: Request, username: str) -> Response:
        """Create a one-time link, shown once and valid for 24 hours.

        Password, sessions and tokens stay valid until it is used.
        """
        demand_administrator(request, ONLY_ADMINISTRATORS)
        return Response(
            _link_body(password_link_create(user=user_get(username=username))), status=201
        )


class PasswordLinkView(ApiView):
    """A one-time link to set a password. Public."""

    parser_classes = (SmallJSONParser,)
    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(
        operation_id="password_link_use",
        request=shapes.PasswordLinkRequest,
        responses={200: shapes.PasswordLinkResult, **errors(400, 403, 429)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Set a password with a one-time link. Sessions and API tokens of the user end.

        Without `new_password`, only check the link.
        """
        body = validated(shapes.PasswordLinkRequest, request)
        uid, token, new_password = body["uid"], body["token"], body.get("new_password")
        user = password_link_check(uid=uid, token=token)
        if new_password is not None:
            address = client_network(request._request) or ""
            password_link_use(uid=uid, token=token, new_password=new_password, address=address)
        return Response({"username": user.username, "changed": new_password is not None})
