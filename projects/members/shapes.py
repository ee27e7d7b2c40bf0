"""Request and response bodies of members."""

import datetime as dt
from typing import Any, TypedDict

from rest_framework import serializers

from projects.models import (
    Membership,
    Role,
)

_Any = serializers.Serializer[Any]


class RoleFields(TypedDict):
    """Checked request to set a role."""

    role: str


class MemberRequest(serializers.Serializer[RoleFields]):
    role = serializers.ChoiceField(choices=Role.choices)


class MemberFields(TypedDict):
    """Checked request to add a member."""

    username: str
    role: str


class MemberAddRequest(serializers.Serializer[MemberFields]):
    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Role.choices)


class Member(_Any):
    username = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    created_at = serializers.DateTimeField()


class MemberBody(TypedDict):
    """A member of a project."""

    username: str
    role: str
    created_at: dt.datetime


def member(row: Membership) -> MemberBody:
    """Return a member with their role."""
    return {"username": row.user.get_username(), "role": row.role, "created_at": row.created_at}
