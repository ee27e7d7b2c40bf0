"""Ordered lists with cursors: `{"results": […], "next": <path or null>}`."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.request import Request

from mimir.lib.errors import Invalid

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[_Row]):
    """One page of rows, and the path of the next page; None on the last page."""

    results: list[_Row]
    next: str | None


def paginate(
    queryset: QuerySet[_Row],
    request: Request,
    *,
    keys: tuple[str, ...],
    limit_default: int = LIMIT_DEFAULT,
    limit_max: int = LIMIT_MAX,
) -> Page[_Row]:
    """Return the page for `?cursor=` and `?limit=`, with one query.

    `keys`: the order, as field paths (`dataset__name`) with `-` for descending. All have the same
    direction and are unique together. The cursor holds the keys of the last row, so that rows added
    before it do not shift the page. Raises: Invalid.
    """
    limit = limit_of(request, default=limit_default, maximum=limit_max)
    cursor = request.query_params.get("cursor")
    if cursor:
        queryset = queryset.filter(_after(queryset.model, keys, cursor))
    rows = list(queryset.order_by(*keys)[: limit + 1])
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(
        rows[:limit], next_path(request, _encode([_value(rows[limit - 1], key) for key in keys]))
    )


def limit_of(request: Request, *, default: int = LIMIT_DEFAULT, maximum: int = LIMIT_MAX) -> int:
    """Return `?limit=`, from 1 to `maximum`. Raises: Invalid."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= maximum):
        raise Invalid(
            f"limit must be a whole number from 1 to {maximum}.",
            detail={"limit": f"a whole number from 1 to {maximum}"},
        )
    return int(text)


def next_path(request: Request, cursor: str) -> str:
    """Return the path of this request with another cursor.

    A path without a host: a proxy can be in front of this process.
    """
    query = request.query_params.copy()
    query["cursor"] = cursor
    return f"{request.path}?{query.urlencode()}"


def _encode(values: list[Any]) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps([str(value) for value in values]).encode())
        .decode()
        .rstrip("=")
    )


def _after(model: type[Model], keys: tuple[str, ...], cursor: str) -> Q:
    """Filter rows after the cursor: (a, b) > (x, y), in a form that an index on a, b serves."""
    values = _decode(model, keys, cursor)
    descending = keys[0].startswith("-")
    names = [key.lstrip("-") for key in keys]
    compare = "lt" if descending else "gt"
    behind = Q()
    for index, name in enumerate(names):
        same = Q(**dict(zip(names[:index], values[:index], strict=True)))
        behind |= same & Q(**{f"{name}__{compare}": values[index]})
    return Q(**{f"{names[0]}__{compare}e": values[0]}) & behind


def _decode(model: type[Model], keys: tuple[str, ...], cursor: str) -> list[Any]:
    try:
        texts = json.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(texts, list) or not all(
            isinstance(text, str) and "\x00" not in text for text in texts
        ):
            raise ValueError("not a list of texts")
        "".join(texts).encode()  # PostgreSQL cannot encode half a surrogate pair
        return [_field(model, key).to_python(text) for key, text in zip(keys, texts, strict=True)]
    except (ValueError, binascii.Error, ValidationError, RecursionError) as error:
        raise Invalid(
            "The cursor is not from this list. Remove it to start at the first page.",
            detail={"cursor": "not valid"},
        ) from error


def _field(model: type[Model], key: str) -> "Field[Any, Any]":
    field: Any = None
    for part in key.lstrip("-").split("__"):
        field = model._meta.get_field(part)
        if field.is_relation:
            model = field.related_model
    if not isinstance(field, Field):
        raise FieldDoesNotExist(key)
    return field


def _value(row: Model, key: str) -> Any:
    value: object = row
    for part in key.lstrip("-").split("__"):
        value = getattr(value, part)
    return value.isoformat() if hasattr(value, "isoformat") else value
