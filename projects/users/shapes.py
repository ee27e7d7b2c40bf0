"""Request and response bodies of users and password links."""

import datetime as dt
from typing import Any, NotRequired, TypedDict

from rest_framework import serializers

from mimir.api.fields import PatternField
from projects.users.write import UserChanges

_Any = serializers.Serializer[Any]


class UserFields(TypedDict):
    """Checked request to create a user."""

    username: str
    email: str
    is_superuser: bool


class UserRequest(serializers.Serializer[UserFields]):
    username = PatternField(r"[\w.@+-]{1,150}", "1 to 150 letters, digits and @/./+/-/_")
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True, default="")
    is_superuser = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Site administrator: full access, also to Django admin.",
    )


class UserChange(serializers.Serializer[UserChanges]):
    is_active = serializers.BooleanField(
        required=False, help_text="false: cannot sign in; all sessions and tokens end."
    )
    is_superuser = serializers.BooleanField(
        required=False, help_text="Site administrator: full access, also to Django admin."
    )
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class UserShape(_Any):
    username = serializers.CharField()
    email = serializers.CharField(help_text="Empty if there is none.")
    is_active = serializers.BooleanField()
    is_superuser = serializers.BooleanField(help_text="Site administrator.")
    has_password = serializers.BooleanField(help_text="false: no password is set.")
    last_sign_in_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    projects = serializers.IntegerField(help_text="Number of memberships.")


class PasswordLinkShape(_Any):
    uid = serializers.CharField()
    token = serializers.CharField(help_text="Shown once.")
    path = serializers.CharField(help_text="The page on the frontend where the password is set.")
    expires_at = serializers.DateTimeField()


class UserCreated(UserShape):
    password_link = PasswordLinkShape()


class UserBody(TypedDict):
    """A user."""

    username: str
    email: str
    is_active: bool
    is_superuser: bool
    has_password: bool
    last_sign_in_at: dt.datetime | None
    created_at: dt.datetime
    projects: int


class PasswordLinkBody(TypedDict):
    """A one-time link to set a password."""

    uid: str
    token: str
    path: str
    expires_at: dt.datetime


class PasswordLinkFields(TypedDict):
    """Checked request to use a password link. Without a password, the link is only checked."""

    uid: str
    token: str
    new_password: NotRequired[str]


class PasswordLinkRequest(serializers.Serializer[PasswordLinkFields]):
    uid = serializers.CharField(max_length=100)
    token = serializers.CharField(max_length=100)
    new_password = serializers.CharField(
        max_length=1000,
        trim_whitespace=False,
        required=False,
        help_text="At least 12 characters. Absent: only check the link.",
    )


class PasswordLinkResult(_Any):
    username = serializers.CharField()
    changed = serializers.BooleanField(help_text="Whether the password was set.")
