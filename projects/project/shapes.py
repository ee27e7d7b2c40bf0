"""Request and response bodies of projects."""

import datetime as dt
from typing import Any, TypedDict

from rest_framework import serializers

from mimir.api.fields import PatternField
from projects.core.names import SLUG_PATTERN, SLUG_RULE
from projects.models import (
    Project,
    ProjectStatus,
    Role,
)

_Any = serializers.Serializer[Any]
_AUTOMATIC = "Whether jobs without resources get the limits that fit earlier runs."


class ProjectFields(TypedDict):
    """Checked request to create a project."""

    slug: str
    name: str
    description: str


class ProjectRequest(serializers.Serializer[ProjectFields]):
    slug = PatternField(SLUG_PATTERN, SLUG_RULE)
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(
        max_length=10_000, required=False, allow_blank=True, default=""
    )


class ProjectChanges(TypedDict, total=False):
    """Checked request to change a project."""

    name: str
    description: str
    status: str
    automatic_resources: bool


class ProjectChange(serializers.Serializer[ProjectChanges]):
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=ProjectStatus.choices, required=False)
    automatic_resources = serializers.BooleanField(required=False, help_text=_AUTOMATIC)


class ProjectShape(_Any):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(choices=ProjectStatus.choices)
    role = serializers.ChoiceField(choices=Role.choices, help_text="Your role.")
    automatic_resources = serializers.BooleanField(help_text=_AUTOMATIC)
    created_at = serializers.DateTimeField()


class ProjectDetail(ProjectShape):
    stored_bytes = serializers.IntegerField(
        help_text="Bytes of uploaded dataset versions and of all artifacts of jobs."
    )
    stored_bytes_max = serializers.IntegerField(
        allow_null=True, help_text="The quota; null: no limit. An administrator can change it."
    )


class ProjectBody(TypedDict):
    """A project."""

    slug: str
    name: str
    description: str
    status: str
    role: str
    automatic_resources: bool
    created_at: dt.datetime


class ProjectDetailBody(ProjectBody):
    """A project with its quota."""

    stored_bytes: int
    stored_bytes_max: int | None


def project(row: Project, role: str) -> ProjectBody:
    """Return a project with the caller's role in it."""
    return {
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "role": role,
        "automatic_resources": row.automatic_resources,
        "created_at": row.created_at,
    }
