"""Request and response bodies of sessions, passwords and API tokens."""

import datetime as dt
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from rest_framework import serializers

from projects.models import (
    AccessToken,
)

_Any = serializers.Serializer[Any]


class SignInFields(TypedDict):
    """Checked request to sign in."""

    username: str
    password: str


class SessionRequest(serializers.Serializer[SignInFields]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class SessionCreated(_Any):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SessionInfo(_Any):
    username = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="Has access to Django admin.")
    expires_at = serializers.DateTimeField(allow_null=True)


class Session(_Any):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    address = serializers.CharField(help_text="IP address of the sign-in.")
    client = serializers.CharField(help_text="User-Agent of the sign-in.")
    current = serializers.BooleanField(help_text="The session of this request.")


class SessionsEnded(_Any):
    ended_sessions = serializers.IntegerField()


class PasswordFields(TypedDict):
    """Checked request to change a password."""

    current_password: str
    new_password: str
    end_tokens: bool


class PasswordRequest(serializers.Serializer[PasswordFields]):
    current_password = serializers.CharField(max_length=1000, trim_whitespace=False)
    new_password = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="At least 12 characters."
    )
    end_tokens = serializers.BooleanField(
        required=False, default=True, help_text="End your API tokens, too."
    )


class PasswordChanged(SessionsEnded):
    ended_tokens = serializers.IntegerField()


class TokenFields(TypedDict):
    """Checked request to create a token."""

    name: str
    expires_at: NotRequired[dt.datetime | None]


class TokenRequest(serializers.Serializer[TokenFields]):
    name = serializers.CharField(max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class Token(_Any):
    id = serializers.UUIDField()
    name = serializers.CharField()
    hint = serializers.CharField(help_text="Its last characters.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokenCreated(Token):
    token = serializers.CharField(help_text="Shown once.")


class SessionBody(TypedDict):
    """A session."""

    id: UUID
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    address: str
    client: str
    current: bool


class TokenBody(TypedDict):
    """An API token without its secret."""

    id: UUID
    name: str
    hint: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None


def session(row: AccessToken, current: AccessToken) -> SessionBody:
    """Return a session for its user."""
    return {
        "id": row.id,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "address": row.address,
        "client": row.client,
        "current": row.id == current.id,
    }


def token(row: AccessToken) -> TokenBody:
    """Return an API token without its secret."""
    return {
        "id": row.id,
        "name": row.name,
        "hint": row.hint,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
