"""Parsers of JSON bodies with limits. Values that PostgreSQL cannot store are refused.

Memory is a small multiple of the body: values are counted before they are parsed, the check keeps
one iterator per level, and a path is built only for a fault.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from mimir.lib.errors import Invalid, TooLarge, shortened

DEPTH_MAX = 64
VALUES_MAX = 50_000  # values of a user's request: lists, objects and their contents
SMALL_BODY_BYTES_MAX = 16 * 1024  # a request without a sign-in
# An unclosed string matches to the end of the body, so each byte is read once.
_TOKEN = re.compile(rb'[\[{,]|"(?:[^"\\]+|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_QUOTE = ord('"')
_NUMBER_MAX = 10**300


class JSONParser(BaseParser):
    """Parse a JSON body.

    Refused: NUL characters, half surrogate pairs, NaN, numbers too large for a double, duplicate
    keys in one object, deep nesting, and more than `values_max` values.
    """

    media_type = "application/json"
    values_max = VALUES_MAX

    @property
    def bytes_max(self) -> int:
        """The largest body in bytes."""
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = self.bytes_max
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.", detail={"max_bytes": limit})
        self._check_count(body)
        try:
            value = json.loads(
                body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_object
            )
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start}.") from error
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
            ) from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {shortened(str(error), 300)}.") from error
        check_json(value)
        return value

    def _check_count(self, body: bytes) -> None:
        """Raise TooLarge for too many values.

        An empty list has 2 bytes in JSON and 56 bytes in Python: values are counted before parsing.
        """
        if body.count(b",") + body.count(b"[") + body.count(b"{") <= self.values_max:
            return
        values = strings = 0
        for token in _TOKEN.finditer(body):
            if body[token.start()] == _QUOTE:
                strings += 1
            else:
                values += 1
            if max(values, strings / 2) > self.values_max:
                raise TooLarge(
                    f"The body has more than {self.values_max} values.",
                    detail={"max_values": self.values_max},
                )


class SmallJSONParser(JSONParser):
    """Parse a body of a request without a sign-in: a few KB."""

    @property
    def bytes_max(self) -> int:
        return SMALL_BODY_BYTES_MAX


class WorkerJSONParser(JSONParser):
    """Parse a body of a worker: a batch of events can hold many numbers."""

    values_max = 1_000_000


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's pairs as a dict.

    Raises: ValueError for a duplicate key: parsers disagree about which value counts.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {json.dumps(shortened(twice, 100))} occurs twice in one object")
    return found


def check_json(value: object) -> None:
    """Raise Invalid with the path of the first value that cannot be stored."""
    _check(value, [])
    levels = [_inside(value)]
    keys: list[Any] = [None]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            keys.pop()
            continue
        key, inner = found
        keys[-1] = key
        if isinstance(key, str) and (fault := _fault(key)):
            where = _path(keys[:-1])
            raise Invalid(
                f"A key of {where or 'the body'} {fault}.", detail={where: f"a key {fault}"}
            )
        _check(inner, keys)
        if isinstance(inner, dict | list):
            levels.append(_inside(inner))
            keys.append(None)
            if len(levels) > DEPTH_MAX:
                where = _path(keys[:-1])
                raise Invalid(
                    "The JSON is nested too deeply.",
                    detail={where: f"at most {DEPTH_MAX} levels are accepted"},
                )


def _inside(value: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def _check(value: object, keys: list[Any]) -> None:
    if fault := _fault(value):
        where = _path(keys)
        raise Invalid(f"{where or 'The body'}: {fault}.", detail={where: fault})


def _path(keys: list[Any]) -> str:
    """Return the path of a fault, such as `steps[0].with.query`, shortened if it is long."""
    path = ""
    for key in keys:
        path += (
            f"[{key}]"
            if isinstance(key, int)
            else f".{shortened(key, 60)}"
            if path
            else shortened(key, 60)
        )
    return shortened(path, 200)


def _fault(value: object) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            return "contains a NUL character, which cannot be stored. Remove it"
        if _has_surrogate(value):
            return "contains half of a surrogate pair, which is not a character. Remove it"
    elif isinstance(value, float):
        if not math.isfinite(value):
            return "is a number that is too large to store"
    elif isinstance(value, int) and abs(value) > _NUMBER_MAX:
        return "is a number that is too large to store"
    return ""


_SURROGATE = re.compile("[\ud800-\udfff]")


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None
