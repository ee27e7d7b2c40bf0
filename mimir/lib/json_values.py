"""Checks and repairs of JSON values: numbers, and text that PostgreSQL can store. Pure."""

import math
from typing import Any, TypeGuard

_REPLACEMENT = "\ufffd"


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether the value is a whole number; booleans are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_finite_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number, and neither NaN nor infinite."""
    return is_number(value) and math.isfinite(value)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL character, no unpaired surrogate."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def storable(value: object) -> Any:
    """Return a JSON value that PostgreSQL can store.

    NUL characters and unpaired surrogates become U+FFFD; NaN and infinities become null. Names of
    files and columns, and messages of user code, can contain them, and a report must not be refused
    for that.
    """
    if isinstance(value, str):
        text = value.replace("\x00", _REPLACEMENT)
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
