"""JSON bodies, read within limits and refused where PostgreSQL could not hold them."""

import json
import math
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from mimir.lib.errors import Invalid, TooLarge

DEPTH_MAX = 64


class JSONParser(BaseParser):
    """A JSON body as Python values. U+0000, half surrogate pairs, NaN, numbers beyond a double and deep nesting are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
        try:
            value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start}.") from error
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from error
        check_json(value)
        return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def check_json(value: Any) -> None:
    """Raises: Invalid, with the path of the first value that cannot be stored."""
    pending: list[tuple[str, Any, int]] = [("", value, 0)]
    while pending:
        path, part, depth = pending.pop()
        if depth > DEPTH_MAX:
            raise Invalid("The JSON is nested too deeply.", detail={path[:200]: f"at most {DEPTH_MAX} levels are accepted"})
        fault = _fault(part)
        if fault:
            raise Invalid(f"{path or 'The body'}: {fault}.", detail={path: fault})
        if isinstance(part, dict):
            for key, inner in part.items():
                if _fault(key):
                    raise Invalid(f"A key of {path or 'the body'} {_fault(key)}.", detail={path: f"a key {_fault(key)}"})
                pending.append((f"{path}.{key}" if path else key, inner, depth + 1))
        elif isinstance(part, list):
            pending.extend((f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(part))


def _fault(value: Any) -> str:
    if isinstance(value, str):
        if "\x00" in value:
            return "holds U+0000, which cannot be stored: remove it"
        if any("\ud800" <= character <= "\udfff" for character in value):
            return "holds half of a surrogate pair, which is no character: remove it"
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) > 10**300):
        return "is a number too large to be stored"
    return ""
