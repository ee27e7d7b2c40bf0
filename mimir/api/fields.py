"""Fields of request bodies that check a rule and state it in the OpenAPI document."""

from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class PatternField(serializers.RegexField):
    """Text that matches a pattern as a whole. `rule`: the pattern in words, after "must be"."""

    def __init__(self, pattern: str, rule: str, **options: Any) -> None:
        messages: dict[str, Any] = {"invalid": f"must be {rule}.", "blank": f"must be {rule}."}
        super().__init__(
            rf"^({pattern})\Z", trim_whitespace=False, error_messages=messages, **options
        )


class WholeNumberField(serializers.IntegerField):
    """A whole number within limits."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        rule = f"must be a whole number from {least} to {most}."
        messages: dict[str, Any] = dict.fromkeys(
            ("invalid", "min_value", "max_value", "max_string_length"), rule
        )
        super().__init__(min_value=least, max_value=most, error_messages=messages, **options)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.JSONField):
    """A JSON object whose fields are checked elsewhere."""

    def to_internal_value(self, data: object) -> Any:
        """Raises: ValidationError."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be a JSON object.", code="invalid")
        return super().to_internal_value(data)


class CommaField(serializers.CharField):
    """A list in a form: values separated by commas, or a repeated field. Read as one text."""

    def get_value(self, dictionary: Any) -> Any:
        given = (
            dictionary.getlist(str(self.field_name)) if isinstance(dictionary, QueryDict) else ()
        )
        return (
            ",".join(given)
            if len(given) > 1 and all(isinstance(one, str) for one in given)
            else super().get_value(dictionary)
        )
