"""Validation of values against a JSON Schema, with messages that say what is allowed.

The `jsonschema` library applies the rules of JSON Schema 2020-12; this module writes the messages.
The library is imported at the first call: a process that only shows forms does not load it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.schema_types import JsonSchema

_TYPE_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_SHOWN_CHARACTERS_MAX = 60
_UNKNOWN_NAMES_MAX = 20  # in the faults of one object
_ERRORS_MAX = 100  # of one check: each holds a message and a path


def check(schema: JsonSchema, value: object, path: str) -> list[FieldError]:
    """Return the faults of `value`, at most one for each path. Paths begin with `path`.

    `x-rule` in a schema replaces the generated description of what is allowed.
    """
    found: dict[str, FieldError] = {}
    errors = islice(_validator(schema).iter_errors(value), _ERRORS_MAX)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        for fault in _faults(error, path):
            found.setdefault(fault.path, fault)
    return list(found.values())


# By id of the schema: schemas are constants of modules, so an id is never reused.
_validators: dict[int, Any] = {}


def _validator(schema: JsonSchema) -> Any:
    if id(schema) not in _validators:
        _validators[id(schema)] = _validator_class()(schema)
    return _validators[id(schema)]


@cache
def _validator_class() -> Any:
    """Return a validator class of draft 2020-12 for which 1.0 is not an integer.

    Booleans are not numbers.
    """
    import jsonschema

    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, value: isinstance(value, int) and not isinstance(value, bool)
    )
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=checker)


def _faults(error: Any, path: str) -> Iterator[FieldError]:
    """The faults of one error of the library: several for missing and for unknown fields."""
    where = _path(path, error.absolute_path)
    rule, allowed = error.validator, error.validator_value
    if rule == "required":
        for name in sorted(set(allowed) - set(error.instance)):
            schema = error.schema.get("properties", {}).get(name, {})
            yield FieldError(f"{where}.{name}", f"is missing. It must be {_allowed(schema)}")
    elif rule == "additionalProperties":
        known = error.schema.get("properties", {})
        for name in sorted(set(error.instance) - set(known))[:_UNKNOWN_NAMES_MAX]:
            yield FieldError(
                f"{where}.{str(name)[:_SHOWN_CHARACTERS_MAX]}",
                f"is not a known field. Use {', '.join(known)}",
            )
    else:
        yield FieldError(where, _message(error, rule, allowed))


def _message(error: Any, rule: str, allowed: Any) -> str:
    match rule:
        case "enum":
            return _unlike(f"must be one of {_enumerated(allowed)}", error.instance)
        case "minItems" | "maxItems" | "minProperties" | "maxProperties":
            if rule_text := error.schema.get("x-rule"):
                return f"must be {rule_text}"
            limit = "at least" if rule.startswith("min") else "at most"
            return f"must have {limit} {allowed} {'entry' if allowed == 1 else 'entries'}"
        case "uniqueItems":
            return "must not contain an entry twice"
        case "propertyNames":
            return f"must not have a field named {_shown(error.instance)}"
        case (
            "type" | "pattern" | "minLength" | "maxLength" | "anyOf"
            | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
        ):  # fmt: skip
            return _unlike(f"must be {_allowed(error.schema)}", error.instance)
    return f"is not valid: {error.message[:200]}"


def _allowed(schema: JsonSchema) -> str:
    """Describe what a schema allows: `a whole number from 1 to 50`."""
    if rule := schema.get("x-rule"):
        return str(rule)
    if "enum" in schema:
        return f"one of {_enumerated(schema['enum'])}"
    kind = schema.get("type", "any value")
    types = kind if isinstance(kind, list) else [kind]
    names = " or ".join(_TYPE_NAMES.get(str(name), str(name)) for name in types)
    return f"{names}{_bounds(schema)}"


def _enumerated(allowed: Sequence[object]) -> str:
    return ", ".join("null" if item is None else str(item) for item in allowed)


def _bounds(schema: JsonSchema) -> str:
    if "minLength" in schema or "maxLength" in schema:
        longest = schema.get("maxLength", "any number of")
        return f" of {schema.get('minLength', 0)} to {longest} characters"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and below is not None:
        return f" between {above} and {below}"
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    if above is not None:
        return f" above {above}" + (f" and at most {high}" if high is not None else "")
    return f" of at most {high}" if high is not None else ""


def _unlike(rule: str, value: object) -> str:
    """Add the value to a rule: `…, not "abc"`. Lists, objects and null are not shown."""
    if not isinstance(value, str | int | float | bool):
        return rule
    return f"{rule}{';' if ',' in rule else ','} not {_shown(value)}"


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = f'"{text}"' if isinstance(value, str) else text
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…"


def _path(path: str, parts: Iterable[Any]) -> str:
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{str(part)[:_SHOWN_CHARACTERS_MAX]}"
    return path
