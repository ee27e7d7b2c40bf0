"""Comparison of JSON values with TypedDicts, recursively."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, ForwardRef, Literal, NotRequired, Required, get_args, get_origin

from mimir.lib.json_types import Json

_JSON = (bool, int, float, str, list, dict, type(None))


def hints_of(typed_dict: Any) -> dict[str, Any]:
    """Return the types of the fields. The recursive name `Json` is known in every module."""
    return typing.get_type_hints(typed_dict, localns={"Json": Json}, include_extras=True)


def faults(value: object, hint: Any, path: str = "") -> list[str]:
    """Return the differences of `value` and the type `hint`, each with its path."""
    return list(_faults(value, hint, path))


def _faults(value: object, hint: Any, path: str) -> Iterator[str]:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, str | ForwardRef):  # the recursive type `Json`
        if not isinstance(value, _JSON):
            yield f"{path}: {value!r} is not JSON"
    elif typing.is_typeddict(hint):
        yield from _typed_dict_faults(value, hint, path)
    elif origin in (NotRequired, Required):
        yield from _faults(value, arguments[0], path)
    elif origin in (typing.Union, types.UnionType):
        found = [faults(value, option, path) for option in arguments]
        if all(found):
            yield min(found, key=len)[0]
    elif origin is Literal:
        if value not in arguments:
            yield f"{path}: {value!r} is not one of {arguments}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is not a list"
            return
        for index, part in enumerate(value):
            yield from _faults(part, arguments[0], f"{path}[{index}]")
    elif origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is not an object"
            return
        for name, part in value.items():
            yield from _faults(part, arguments[1], f"{path}.{name}")
    elif not _is_plain(value, hint):
        yield f"{path}: {value!r} is not {hint}"


def _typed_dict_faults(value: object, hint: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is not an object"
        return
    hints = hints_of(hint)
    for name in sorted(hint.__required_keys__ - value.keys()):
        yield f"{path}.{name}: is missing"
    for name, part in value.items():
        if name in hints:
            yield from _faults(part, hints[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: is not a field of {hint.__name__}"


def _is_plain(value: object, hint: Any) -> bool:
    """Return whether a value has a plain type. An int is a float; a bool is neither."""
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
