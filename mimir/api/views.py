"""Base class of every view of the public API."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import structlog
from django.http import HttpRequest, QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import DictField, ListField, MultipleChoiceField, Serializer
from rest_framework.views import APIView

from mimir.api import schema as _schema  # noqa: F401 - registers the Bearer scheme with the OpenAPI generator
from mimir.api.conditional import finish
from mimir.api.errors import flatten
from mimir.api.fields import CommaField
from mimir.api.parsers import JSONParser
from mimir.api.query import (
    Schema,
    declared_parameters,
    parse_query,
    takes_body,
    unknown_name,
)
from mimir.lib.errors import Invalid, NotAuthenticated, NotFound, PermissionDenied
from mimir.lib.json_values import is_number

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Body = TypeVar("Body")

_LOGGED = ("job_id", "attempt_id")
_FORM_ONLY = frozenset(("csrfmiddlewaretoken",))  # form fields that no serializer declares
_UNKNOWN_NAMED_MAX = 20  # unknown fields in one error


class OneAnswer(DefaultContentNegotiation):
    """Each path has one media type, whatever Accept says; errors are always JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Base view: Bearer token, JSON body with limits, uniform errors.

    A method validates, calls one function and serialises. `query` holds the query parameters with
    the types that `@extend_schema` declares; undeclared parameters are refused.
    """

    parser_classes: Any = (JSONParser,)
    content_negotiation_class: Any = OneAnswer
    query: Mapping[str, Any]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Decode bodies and queries as UTF-8, whatever charset Content-Type has.

        Some of Python's charsets cannot decode a form at all.
        """
        if request.encoding is not None:
            request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Add the ids in the path to the log context. Raises: NotFound for a NUL character."""
        structlog.contextvars.bind_contextvars(
            **{name: str(kwargs[name]) for name in _LOGGED if name in kwargs}
        )
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, str) and "\x00" in value for value in kwargs.values()):
            raise NotFound()
        self._check_request(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the final ETag, 304 or compression to a JSON response once it is rendered."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, Response) and not response.is_rendered:
            response.add_post_render_callback(functools.partial(finish, request))
        return response

    def _check_request(self, request: Request) -> None:
        """Compare the query, and the presence of a body, with the declaration. Raises: Invalid."""
        method = str(request.method).lower()
        declaration = self._declaration(method) if method in self.http_method_names else None
        if declaration is None:
            return
        self.query = parse_query(request.query_params, declaration.query)
        if not declaration.takes_body and request.data:
            names = (
                itertools.islice(request.data, _UNKNOWN_NAMED_MAX)
                if isinstance(request.data, dict)
                else ()
            )
            faults = {
                str(name)[:200]: "is not a field. This request takes no body" for name in names
            }
            raise Invalid("This request takes no body. Send it without one.", detail=faults)

    def _declaration(self, method: str) -> "_Declaration | None":
        """Return the `@extend_schema` declaration of a method. Cached by method."""
        key = type(self), method
        if key not in _declarations:
            _declarations[key] = self._read_declaration(method)
        return _declarations[key]

    def _read_declaration(self, method: str) -> "_Declaration | None":
        handler = getattr(self, method, None)
        query = declared_parameters(self, handler) if handler else None
        if handler is None or query is None:
            return None
        has_body = method in ("post", "put", "patch") and takes_body(self, handler)
        return _Declaration(query, has_body)


class _Declaration(NamedTuple):
    """Query parameters of a method, and whether it takes a body."""

    query: Mapping[str, Schema]
    takes_body: bool


_declarations: dict[tuple[type[ApiView], str], _Declaration | None] = {}


def validated(
    serializer: type[Serializer[Body]], request: Request, *, others_ignored: bool = False
) -> Body:
    """Return the checked body. `Serializer[Body]` declares its type, a TypedDict.

    Unknown fields are refused: a misspelt limit must not act like no limit. `others_ignored`:
    accept them, for bodies of workers that can be of a newer release. Raises: ValidationError,
    which becomes a 400 with the path of each field.
    """
    reader, checked, faults = _reader(serializer), {}, {}
    try:
        checked = reader.run_validation(request.data)
    except ValidationError as error:
        faults = flatten(error.detail)
    if not others_ignored:
        faults |= dict(itertools.islice(_strict_faults(request.data, reader), _UNKNOWN_NAMED_MAX))
    if faults:
        raise ValidationError(faults)
    return cast("Body", dict(checked))


@functools.cache
def _reader(serializer: type[Serializer[Any]]) -> Serializer[Any]:
    """Return the shared instance that validates all bodies of a class. It stores no body data.

    A new instance copies every field, which costs more than most validations.
    """
    return serializer(error_messages={"null": "No data provided"})


def _strict_faults(value: object, field: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and message of faults that DRF accepts.

    Unknown fields, repeated form fields, and JSON values of another type.
    """
    if isinstance(field, Serializer) and isinstance(value, dict):
        yield from _strict_fields(value, field, path)
    elif isinstance(value, list) and (child := getattr(field, "child", None)) is not None:
        for index, part in enumerate(value):
            yield from _strict_faults(part, child, f"{path}[{index}]")
    elif isinstance(value, dict) and isinstance(field, DictField):
        for name, part in value.items():
            yield from _strict_faults(part, field.child, f"{path}.{str(name)[:200]}")
    elif path and (fault := _type_fault(value, field)):
        yield path, fault


def _strict_fields(
    body: Mapping[str, Any], field: Serializer[Any], path: str
) -> Iterator[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    form = body if isinstance(body, QueryDict) else None
    for name in body:
        known = field.fields.get(name)
        if known is None:
            if form is None or name not in _FORM_ONLY:
                yield (
                    f"{prefix}{str(name)[:200]}",
                    unknown_name(str(name), list(field.fields), "a field"),
                )
        elif form is None:
            yield from _strict_faults(body[name], known, f"{prefix}{name}")
        elif len(form.getlist(name)) > 1 and not isinstance(
            known, ListField | MultipleChoiceField | CommaField
        ):
            yield f"{prefix}{name}", "must be given only once"


_TEXT = (
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateTimeField,
    serializers.UUIDField,
)


def _type_fault(value: object, field: Any) -> str:
    """Return the type that a JSON value must have; an empty text if it has it.

    Numbers are not accepted as text, nor text as a number or boolean.
    """
    if value is None:
        return ""
    if isinstance(field, serializers.BooleanField):
        return "" if isinstance(value, bool) else "must be true or false"
    if isinstance(field, serializers.IntegerField | serializers.FloatField):
        return "" if is_number(value) else "must be a number"
    return "must be text" if isinstance(field, _TEXT) and not isinstance(value, str) else ""


def caller(request: Request) -> "User":
    """Return the user of a request.

    Only the sign-in has none: DRF checks permissions first. Raises: NotAuthenticated.
    """
    if not request.user.is_authenticated:
        raise NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")
    return request.user


def demand_administrator(request: Request, message: str) -> None:
    """Raise PermissionDenied with `message` unless the user is an administrator."""
    if not caller(request).is_superuser:
        raise PermissionDenied(message)
