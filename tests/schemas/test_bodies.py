"""The types of response bodies agree with the serializers that document them, field by field."""

import datetime as dt
import types
import typing
from collections.abc import Mapping
from typing import Any, NotRequired, Required, get_args, get_origin
from uuid import UUID

import pytest
from rest_framework import serializers

from mimir.lib.reading import options
from projects.datasets import shapes as datasets
from projects.datasets import upload_bodies, upload_responses, upload_shapes
from projects.members import shapes as members
from projects.model_registry import shapes as models
from projects.parsing import messages
from projects.pipelines import shapes as pipelines
from projects.project import shapes as projects
from projects.tokens import shapes as tokens
from projects.twins import bodies as twin_bodies
from projects.twins import shapes as twins
from projects.users import shapes as users
from tests.support.typed_dicts import hints_of

_MODULES = [datasets, members, models, pipelines, projects, tokens, users]
_PLACES = [
    *((module, module) for module in _MODULES),
    (twin_bodies, twins),
    (upload_bodies, upload_responses),
    (options, upload_shapes),
    (messages, datasets),
]
_PLAIN: dict[type[serializers.Field[Any, Any, Any, Any]], tuple[Any, ...]] = {
    serializers.UUIDField: (UUID,),
    serializers.DateTimeField: (dt.datetime,),
    serializers.IntegerField: (int,),
    serializers.FloatField: (float,),
    serializers.BooleanField: (bool,),
    serializers.ChoiceField: (str,),
    serializers.CharField: (str,),
}


def _pairs() -> list[Any]:
    """Return every TypedDict `XBody` of a module with its serializer `X` or `XShape`."""
    found = []
    for bodies, shapes in _PLACES:
        for name, body in vars(bodies).items():
            if name.endswith("Body") and body.__module__ == bodies.__name__:
                stem = name.removesuffix("Body")
                serializer = getattr(shapes, f"{stem}Shape", None) or getattr(shapes, stem, None)
                found.append(pytest.param(body, serializer, id=name))
    return found


@pytest.mark.parametrize(("body", "serializer"), _pairs())
def test_a_body_has_the_fields_of_its_serializer(body: Any, serializer: Any) -> None:
    assert serializer is not None, f"{body.__name__} has no serializer"
    hints = hints_of(body)
    fields = serializer().fields
    assert set(hints) == set(fields)
    for name, field in fields.items():
        fault = _fault(hints[name], field, required=name in body.__required_keys__)
        assert not fault, f"{body.__name__}.{name}: {fault}"


def _fault(hint: Any, field: Any, *, required: bool) -> str:
    """Return the difference of a type and a field, or an empty text."""
    if get_origin(hint) in (NotRequired, Required):
        hint = get_args(hint)[0]
    if required is False and field.required:
        return "the body can omit it, the serializer requires it"
    options = set(get_args(hint)) if _is_union(hint) else {hint}
    nullable = type(None) in options
    options.discard(type(None))
    if Any in options:
        return ""
    if nullable != bool(field.allow_null):
        return f"null is {'' if nullable else 'not '}possible in the body"
    return "" if all(_agrees(option, field) for option in options) else f"{hint} is not {field!r}"


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _agrees(hint: Any, field: Any) -> bool:
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        return get_origin(hint) is list and _agrees(get_args(hint)[0], field.child)
    if isinstance(field, serializers.BaseSerializer):
        return bool(
            hint.__name__.removesuffix("Body") == type(field).__name__.removesuffix("Shape")
        )
    if isinstance(field, serializers.DictField):
        return get_origin(hint) in (dict, Mapping) or typing.is_typeddict(hint)
    for kind, accepted in _PLAIN.items():
        if isinstance(field, kind):
            return hint in accepted
    return True
