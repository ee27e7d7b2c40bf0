"""A value against a JSON Schema, with faults in our words: what is allowed, not which keyword said no.

The rules are those of JSON Schema 2020-12, judged by the `jsonschema` library; only the sentences are ours. The library is imported at the
first call: a process that only shows forms has none.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from mimir.lib.schemas.faults import Fault

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_SHOWN_MAX = 60
_NAMES_MAX = 20  # unknown names that one error tells
_ERRORS_MAX = 100  # that one check looks at: each holds a message and a path


def check(schema: dict[str, Any], value: Any, path: str) -> list[Fault]:
    """Everything wrong with `value`, with paths that begin with `path`, each path once. A schema's `x-rule` is the sentence for its pattern."""
    found: dict[str, Fault] = {}
    errors = islice(_validator(schema).iter_errors(value), _ERRORS_MAX)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        for fault in _faults(error, path):
            found.setdefault(fault.path, fault)
    return list(found.values())


_validators: dict[
    int, Any
] = {}  # by the schema's id: schemas are constants of modules, so an id does not come again


def _validator(schema: dict[str, Any]) -> Any:
    if id(schema) not in _validators:
        _validators[id(schema)] = _strict()(schema)
    return _validators[id(schema)]


@cache
def _strict() -> Any:
    """Draft 2020-12, where 1.0 is no whole number and a truth value no number, as JSON's readers in Python have it."""
    import jsonschema

    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, value: isinstance(value, int) and not isinstance(value, bool)
    )
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=checker)


def _faults(error: Any, path: str) -> Iterator[Fault]:
    where = _path(path, error.absolute_path)
    rule, allowed = error.validator, error.validator_value
    if rule == "required":
        missing = sorted(set(allowed) - set(error.instance))
        for name in missing:
            shape = error.schema.get("properties", {}).get(name, {})
            yield Fault(f"{where}.{name}", f"is missing: it has to be {_wanted(shape)}")
    elif rule == "additionalProperties":
        known = error.schema.get("properties", {})
        for name in sorted(set(error.instance) - set(known))[:_NAMES_MAX]:
            yield Fault(
                f"{where}.{str(name)[:_SHOWN_MAX]}", f"is not known here: use {', '.join(known)}"
            )
    else:
        yield Fault(where, _sentence(error, rule, allowed))


def _sentence(error: Any, rule: str, allowed: Any) -> str:
    given = _shown(error.instance)
    match rule:
        case "type" | "pattern" | "minLength" | "maxLength":
            return f"has to be {_wanted(error.schema)}{given}"
        case "enum":
            return f"has to be one of {_names(allowed)}{given}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"has to be {_wanted(error.schema)}{given}"
        case "anyOf":
            return f"must be {_wanted(error.schema)}{given}"
        case "minItems":
            return f"has to have at least {allowed} {'entry' if allowed == 1 else 'entries'}"
        case "maxItems":
            return f"may have {allowed} entries at most"
        case "uniqueItems":
            return "names something twice"
        case "minProperties":
            return f"has to have at least {allowed} {'entry' if allowed == 1 else 'entries'}"
        case "maxProperties":
            return f"may have {allowed} entries at most"
        case "propertyNames":
            return f"may not have {_shown_bare(error.instance)} as a name"
    return f"does not fit: {error.message[:200]}"


def _wanted(schema: dict[str, Any]) -> str:
    """What a schema allows, as words: `a whole number from 1 to 50`."""
    if rule := schema.get("x-rule"):
        return str(rule)
    if "enum" in schema:
        return f"one of {_names(schema['enum'])}"
    kinds = schema.get("type", "any value")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = " or ".join(_KINDS.get(str(kind), str(kind)) for kind in kinds)
    return f"{words}{_bounds(schema)}"


def _names(allowed: list[Any]) -> str:
    return ", ".join("null" if item is None else str(item) for item in allowed)


def _bounds(schema: dict[str, Any]) -> str:
    if "minLength" in schema or "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema.get('maxLength', 'any number of')} characters"
    low = schema.get("minimum")
    high = schema.get("maximum")
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


def _shown(value: Any) -> str:
    """`: "abc" is not`; nothing for what would be long."""
    return f": {_shown_bare(value)} is not" if isinstance(value, str | int | float | bool) else ""


def _shown_bare(value: Any) -> str:
    text = (
        f'"{value}"'
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _path(path: str, parts: Any) -> str:
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{str(part)[:_SHOWN_MAX]}"
    return path
