"""Query parameters, parsed by the declarations of the OpenAPI document.

Undeclared parameters are refused: a misspelt filter must not act like no filter.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import QueryDict
from drf_spectacular.plumbing import build_basic_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.views import APIView

from mimir.lib.errors import Invalid

Schema = Mapping[str, Any]
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_FAULTS_MAX = 20  # names in one error
_INTEGER, _DIGITS_MAX = re.compile(r"[+-]?[0-9]+"), 15


def declared_parameters(view: APIView, handler: Callable[..., Any]) -> dict[str, Schema] | None:
    """Return the schema of each query parameter that `@extend_schema` declares for a method.

    None for a method without a declaration.
    """
    schema = _declaration(view, handler)
    if schema is None:
        return None
    return {
        parameter.name: parameter_schema(parameter)
        for parameter in schema.get_override_parameters()
        if isinstance(parameter, OpenApiParameter) and parameter.location == OpenApiParameter.QUERY
    }


def takes_body(view: APIView, handler: Callable[..., Any]) -> bool:
    """Whether the method takes a body: False for `request=None`."""
    schema = _declaration(view, handler)
    return schema is None or schema.get_request_serializer() is not None


def _declaration(view: APIView, handler: Callable[..., Any]) -> Any:
    declared = getattr(handler, "kwargs", {}).get("schema")
    if declared is None:
        return None
    schema = declared()
    schema.view = view
    return schema


def parameter_schema(parameter: OpenApiParameter) -> dict[str, Any]:
    """Return a parameter's JSON Schema as drf-spectacular writes it.

    A list has the type `array` and the schema of one value in `items`.
    """
    declared = parameter.type
    if not isinstance(declared, dict):
        declared = build_basic_type(declared) or {}  # type: ignore[arg-type, no-untyped-call]
    schema = dict(declared)
    if parameter.enum:
        schema["enum"] = sorted(str(value) for value in parameter.enum)
    if parameter.pattern:
        schema["pattern"] = parameter.pattern
    return {"type": "array", "items": schema} if parameter.many else schema


def parse_query(query: QueryDict, declared: Mapping[str, Schema]) -> dict[str, Any]:
    """Return the values of the given parameters by name, in their declared types.

    Raises: Invalid, with all unknown parameters and invalid values up to _FAULTS_MAX.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, given in query.lists():
        if len(faults) == _FAULTS_MAX:
            break
        schema = declared.get(name)
        if schema is None:
            faults[name[:200]] = unknown_name(name, declared, "a query parameter")
            continue
        try:
            values[name] = (
                _several(given, schema["items"])
                if schema.get("type") == "array"
                else _single(given, schema)
            )
        except ValueError as error:
            faults[name] = str(error)
    if faults:
        raise Invalid(
            " ".join(f"{name}: {fault}." for name, fault in list(faults.items())[:3]), detail=faults
        )
    return values


def unknown_name(name: str, known: Mapping[str, Any] | Sequence[str], what: str) -> str:
    """Return the message for an unknown name, with the most similar known name, else with all."""
    near = difflib.get_close_matches(name.lower()[:100], list(known), n=1, cutoff=0.6)
    if near:
        return f"is not {what} of this address. Did you mean {near[0]}?"
    if not known:
        return f"is not {what} of this address, which takes none"
    return f"is not {what} of this address. Use {', '.join(known)}"


def _single(given: list[str], schema: Schema) -> Any:
    if len(given) > 1:
        raise ValueError("must be given only once")
    return _value(given[0], schema)


def _several(given: list[str], schema: Schema) -> list[Any]:
    """Return the values of `status=a&status=b` and `status=a,b`, each once."""
    return list(
        dict.fromkeys(_value(part.strip(), schema) for text in given for part in text.split(","))
    )


def _value(text: str, schema: Schema) -> Any:
    """Return the value of a parameter. Raises: ValueError with the rule."""
    kind = schema.get("type")
    if kind == "boolean":
        if text.lower() not in _TRUTH:
            raise ValueError("must be true or false")
        return _TRUTH[text.lower()]
    if kind in ("integer", "number"):
        return _within(_integer(text) if kind == "integer" else _number(text), schema)
    if "enum" in schema:
        if text not in schema["enum"]:
            raise ValueError(f"must be one of {', '.join(schema['enum'])}")
    elif "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if "pattern" in schema and not re.fullmatch(schema["pattern"].removesuffix("$"), text):
        raise ValueError(schema["x-rule"])
    if not text and schema.get("minLength") == 1:
        raise ValueError("must not be empty")
    if len(text) > schema.get("maxLength", math.inf) or len(text) < schema.get("minLength", 0):
        raise ValueError(
            f"must have {schema.get('minLength', 0)} to "
            f"{schema.get('maxLength', 'any number of')} characters"
        )
    return text


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-")) > _DIGITS_MAX:
        raise ValueError("must be a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number


def _within(number: float, schema: Schema) -> float:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if low <= number <= high:
        return number
    if high == math.inf:
        raise ValueError(f"must be at least {low}")
    raise ValueError(
        f"must be from {low} to {high}" if low != -math.inf else f"must be at most {high}"
    )


def whole_number(name: str, description: str, **limits: int) -> OpenApiParameter:
    """Declare an integer parameter with `minimum` and `maximum`."""
    return OpenApiParameter(name, {"type": "integer", **limits}, description=description)


def flag(name: str, description: str) -> OpenApiParameter:
    """Declare a boolean parameter."""
    return OpenApiParameter(name, OpenApiTypes.BOOL, description=description)
