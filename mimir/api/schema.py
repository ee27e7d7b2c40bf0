"""The OpenAPI document's common parts: the error body, list bodies, the Bearer scheme."""

import json
from collections.abc import Mapping
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from mimir.api.query import whole_number

_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be accepted; `detail` maps a field's path to its message.",
    401: "No token, or one that is unknown or has expired.",
    403: "You are a member of the project, but your role does not allow this.",
    404: "It is not there, or you may not see it.",
    409: "It is in a state that does not allow this.",
    412: "It was changed since the `ETag` in `If-Match` was read, or `If-None-Match` found that it exists.",
    413: "Over a limit of size.",
    416: "`Range` lies outside of the content; `Content-Range` says how long that is.",
    429: "Over a limit of rate or number; `Retry-After` says when to try again.",
    503: "A part of Mimir is away; `Retry-After` says when to try again.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>` in the document."""

    target_class = "mimir.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of every error."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="For people: what happened and what to do.")
    detail = serializers.DictField(help_text="A field's path to its message, or facts.")


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """The error answers of an operation; 401 and 503 belong to all."""
    return {
        status: OpenApiResponse(ErrorSerializer, _MEANINGS[status])
        for status in sorted({401, 503, *statuses})
    }


def listing(
    name: str, row: type[serializers.Serializer[Any]] | serializers.Serializer[Any]
) -> serializers.Serializer[Any]:
    """The body of a list: `{"results", "next"}`. `name` is the component's in the document."""
    many = row(many=True) if isinstance(row, type) else row
    return inline_serializer(
        name,
        {
            "results": cast("serializers.Field[Any, Any, Any, Any]", many),
            "next": serializers.CharField(
                allow_null=True, help_text="The path of the next page, null on the last one."
            ),
        },
    )


CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="From `next` of the page before.")
LIMIT = whole_number("limit", "Rows of a page.", minimum=1, maximum=200)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag that was read: 412 if somebody changed it since. `*`: if it exists.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="A known ETag: 304 while it is current.",
)
IF_NEW = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`*`: only create, 412 if it exists.",
)
_RANGE = OpenApiParameter(
    "Range",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="`bytes=first-last`: answered with 206.",
)
_IF_RANGE = OpenApiParameter(
    "If-Range",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of what is there already; the whole is sent if it changed.",
)
DOWNLOAD = [_RANGE, _IF_RANGE, IF_NONE_MATCH]
NOT_MODIFIED = {304: OpenApiResponse(description="`If-None-Match` names the current ETag.")}


def download_responses(*media_types: str, type: Any = OpenApiTypes.BINARY) -> dict[Any, Any]:
    """The answers of a download, whole and in part, beside its errors."""
    sent = {(status, media_type): type for status in (200, 206) for media_type in media_types}
    return {**sent, **NOT_MODIFIED, **errors(400, 404, 412, 416)}


def describe_defaults(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: say a field's default in its description, in the place of `default`.

    Generators of clients take `default` for a promise that the field is there: they make a field that may be left out a required one, or
    send the default themselves, which the server would take for the caller's wish.
    """
    pending: list[Any] = [result.get("components", {}).get("schemas", {})]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            for schema in _properties(part):
                default = schema.pop("default", None)
                if default not in (None, "", [], {}):
                    schema["description"] = (
                        f"{schema.get('description', '')} Default: {json.dumps(default)}.".strip()
                    )
            pending.extend(part.values())
    return result


def allow_null_once(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: any value or null is any value. As `oneOf` of both, null would match twice and so not at all."""
    pending: list[Any] = [result]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            members = part.get("oneOf")
            if isinstance(members, list) and {"type": "null"} in members and {} in members:
                del part["oneOf"]
            pending.extend(part.values())
    return result


def _properties(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    properties = schema.get("properties")
    return (
        [part for part in properties.values() if isinstance(part, dict)]
        if isinstance(properties, Mapping)
        else []
    )
