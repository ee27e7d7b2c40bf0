"""The base of every view of the public API."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog
from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from mimir.api import schema as _schema  # noqa: F401 - registers the Bearer scheme with the OpenAPI generator
from mimir.api.parsers import JSONParser
from mimir.lib.errors import NotAuthenticated, NotFound, PermissionDenied

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_LOGGED = ("job_id", "attempt_id")
_UNKNOWN_NAMED_MAX = 20  # unknown fields that one error names


class OneAnswer(DefaultContentNegotiation):
    """Every address answers in one media type, whatever Accept says: who asks for a log as text/plain gets it, and errors are JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Bearer token, JSON body with limits, errors in one shape. A method validates, calls one function, serialises."""

    parser_classes: Any = (JSONParser,)
    content_negotiation_class: Any = OneAnswer

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Bodies and queries are UTF-8, whatever charset a Content-Type claims: some of Python's cannot decode a form at all."""
        if request.encoding is not None:
            request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """What this is about goes with every line of the log; a path with U+0000 names nothing. Raises: NotFound."""
        structlog.contextvars.bind_contextvars(**{name: str(kwargs[name]) for name in _LOGGED if name in kwargs})
        super().initial(request, *args, **kwargs)
        if any(isinstance(value, str) and "\x00" in value for value in kwargs.values()):
            raise NotFound("There is nothing here.")


def validated(serializer: type[Serializer[Any]], request: Request, *, others_ignored: bool = False) -> dict[str, Any]:
    """The checked body. A field that is not one is refused too: a misspelt limit must not pass for none.

    `others_ignored`: for bodies of programs of ours that may be newer than we are.
    Raises: ValidationError, which becomes 400 with each field's path.
    """
    bound = serializer(data=request.data)
    faults = {} if bound.is_valid() else dict(bound.errors)
    if not others_ignored:
        known = ", ".join(bound.fields)
        faults |= {name: [f"is not a field here: use {known}"] for name in _others(request.data, bound.fields)[:_UNKNOWN_NAMED_MAX]}
    if faults:
        raise ValidationError(faults)
    checked: dict[str, Any] = dict(bound.validated_data)
    return checked


def _others(body: Any, fields: Mapping[str, Any]) -> list[str]:
    """Names in a JSON body that are no fields. A form may bring what its page needs."""
    is_json = isinstance(body, dict) and not isinstance(body, QueryDict)
    return sorted(name for name in body if name not in fields) if is_json else []


def caller(request: Request) -> "User":
    """Who asks. Every view but the sign-in has one: DRF's permission comes first. Raises: NotAuthenticated."""
    if not request.user.is_authenticated:
        raise NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")
    return request.user


def demand_administrator(request: Request, message: str) -> None:
    """Let site administrators pass. Raises: PermissionDenied with `message`."""
    if not caller(request).is_superuser:
        raise PermissionDenied(message)
