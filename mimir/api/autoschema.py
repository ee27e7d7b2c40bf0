"""Request bodies in the OpenAPI document, with the same rules as the checks."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

# A character that Python does not strip. Python strips more white space than \s of JSON Schema has.
NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"


def without_nul() -> dict[str, object]:
    """Return the schema of a text without NUL characters.

    It uses `not`, because other rules need `pattern`. Generators of test data handle it cheaply.
    """
    return {"not": {"pattern": r"\u0000"}}


class RequestRules(AutoSchema):
    """drf-spectacular's AutoSchema with three more rules for request bodies.

    No fields besides those listed, no NUL character, and no blank text where it is refused.
    """

    _is_request = False

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        outer, self._is_request = (
            self._is_request,
            direction == "request" and not _has_file(serializer),
        )
        try:
            described: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        finally:
            self._is_request = outer
        return {**described, "additionalProperties": False} if direction == "request" else described

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if self._is_request and _is_free_text(field):
            schema.update(_text_rules(field))


def _has_file(serializer: Any) -> bool:
    """Whether a form has a file.

    Such forms keep plain types: schemathesis cannot generate files beside `not`.
    """
    return any(isinstance(field, serializers.FileField) for field in serializer.fields.values())


def _is_free_text(field: Any) -> bool:
    return isinstance(field, serializers.CharField) and not isinstance(
        field, serializers.RegexField | serializers.EmailField
    )


def _text_rules(field: Any) -> dict[str, object]:
    if field.allow_blank:
        return without_nul()
    return {
        **without_nul(),
        "minLength": 1,
        **({"pattern": NOT_BLANK} if field.trim_whitespace else {}),
    }


def describe_query(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular hook: no text in a query contains a NUL character."""
    for methods in result.get("paths", {}).values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if (
                    parameter["in"] == "query"
                    and schema.get("type") == "string"
                    and not schema.keys() & {"enum", "pattern", "format"}
                ):
                    schema |= without_nul()
    return result
