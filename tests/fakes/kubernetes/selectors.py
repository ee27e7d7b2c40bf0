"""Label and field selectors, as the API server reads them."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)$")
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})$")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})$")
_COMMA = re.compile(r",(?![^(]*\))")

FIELDS: dict[str, tuple[str, ...]] = {
    "jobs": ("metadata.name", "metadata.namespace", "status.successful"),
    "pods": (
        "metadata.name",
        "metadata.namespace",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "events": (
        "metadata.name",
        "metadata.namespace",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


class BadSelector(ValueError):
    """Selector that the server rejects with 400."""


@lru_cache(maxsize=1024)
def label_test(selector: str) -> Test:
    """Return whether labels match a selector. Raises: BadSelector."""
    if not selector.strip():
        return lambda labels: True
    tests = [_one_label(part.strip()) for part in _COMMA.split(selector)]
    return lambda labels: all(test(labels) for test in tests)


def _one_label(part: str) -> Test:
    if found := _SET.match(part):
        name, values = found[1], frozenset(value.strip() for value in found[4].split(","))
        if found[3] == "in":
            return lambda labels: labels.get(name) in values
        return lambda labels: labels.get(name) not in values
    if found := _EQUALS.match(part):
        name, wanted = found[1], found[4] or ""
        if found[3] == "!=":
            return lambda labels: labels.get(name) != wanted
        return lambda labels: labels.get(name) == wanted
    if found := _EXISTS.match(part):
        name, there = found[2], not found[1]
        return lambda labels: (name in labels) is there
    raise BadSelector(f"unable to parse requirement: {part!r}")


@lru_cache(maxsize=1024)
def field_test(plural: str, selector: str) -> Test:
    """Return whether an object matches a field selector.

    Raises: BadSelector, if its kind has no selector for the field.
    """
    tests = [_one_field(plural, part.strip()) for part in selector.split(",") if part.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _one_field(plural: str, part: str) -> Test:
    name, sign, wanted = part.partition("!=")
    differs = bool(sign)
    if not differs:
        name, sign, wanted = part.partition("=")
        wanted = wanted.removeprefix("=")
    if not sign:
        raise BadSelector(f"invalid selector: '{part}'; can't understand '{part}'")
    if name not in FIELDS.get(plural, ("metadata.name", "metadata.namespace")):
        raise BadSelector(f"field label not supported: {name}")
    path = name.split(".")
    return lambda obj: (_value(obj, path) == wanted) is not differs


def _value(obj: Any, path: list[str]) -> str:
    if path == ["source"]:
        return str(obj.get("source", {}).get("component") or obj.get("reportingComponent", ""))
    if path == ["status", "successful"]:
        return str(obj.get("status", {}).get("succeeded", 0))
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return "" if obj is None else str(obj)
