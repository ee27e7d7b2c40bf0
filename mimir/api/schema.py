"""Common parts of the OpenAPI document: error body, list bodies, Bearer scheme."""

import json
from collections.abc import Mapping
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from mimir.api.query import whole_number

_MEANINGS: Mapping[int, str] = {
    400: "The request is invalid. `detail` maps the path of a field to its message.",
    401: "No token, an unknown token, or an expired one.",
    403: "You are a member of the project, but your role does not allow this.",
    404: "It does not exist, or you have no access.",
    409: "Its state does not allow this.",
    412: "It was changed after the `ETag` in `If-Match`, or it exists (`If-None-Match`).",
    413: "A size limit is exceeded.",
    416: "`Range` is outside the content. `Content-Range` has its length.",
    429: "A limit of rate or number is exceeded. Retry after `Retry-After`.",
    503: "A component of Mimir is unavailable. Retry after `Retry-After`.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>` in the OpenAPI document."""

    target_class = "mimir.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every error."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="For users: the problem and the next action.")
    detail = serializers.DictField(help_text="Messages by field path, or facts.")


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Return the error responses of an operation; 401 and 503 belong to all."""
    return {
        status: OpenApiResponse(ErrorSerializer, _MEANINGS[status])
        for status in sorted({401, 503, *statuses})
    }


def listing(
    name: str, row: type[serializers.Serializer[Any]] | serializers.Serializer[Any]
) -> serializers.Serializer[Any]:
    """Return the serializer of a list's body, `{"results", "next"}`.

    `name`: the name of its component in the OpenAPI document.
    """
    many = row(many=True) if isinstance(row, type) else row
    return inline_serializer(
        name,
        {
            "results": cast("serializers.Field[Any, Any, Any, Any]", many),
            "next": serializers.CharField(
                allow_null=True, help_text="The path of the next page; null on the last page."
            ),
        },
    )


CURSOR = OpenApiParameter(
    "cursor", OpenApiTypes.STR, description="From `next` of the previous page."
)
LIMIT = whole_number("limit", "Rows per page.", minimum=1, maximum=200)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag that you read: 412 if it was changed since. `*`: only if it exists.",
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
    description="The ETag of the part that you have. The whole content is sent if it changed.",
)
DOWNLOAD = [_RANGE, _IF_RANGE, IF_NONE_MATCH]
NOT_MODIFIED = {304: OpenApiResponse(description="`If-None-Match` has the current ETag.")}


def download_responses(*media_types: str, type: Any = OpenApiTypes.BINARY) -> dict[Any, Any]:
    """Return the responses of a download, whole and in part, and its errors."""
    sent = {(status, media_type): type for status in (200, 206) for media_type in media_types}
    return {**sent, **NOT_MODIFIED, **errors(400, 404, 412, 416)}


def describe_defaults(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular hook: move a field's default from `default` to its description.

    Client generators take `default` as a promise that the field is present: they make an optional
    field required, or send the default as if the caller had set it.
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
    """drf-spectacular hook: "any value or null" is "any value".

    As a `oneOf` of both, null matches twice, and so is invalid.
    """
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


def _properties(schema: Mapping[str, object]) -> list[dict[str, Any]]:
    properties = schema.get("properties")
    return (
        [part for part in properties.values() if isinstance(part, dict)]
        if isinstance(properties, Mapping)
        else []
    )
