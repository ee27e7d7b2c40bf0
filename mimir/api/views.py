"""The base of every view of the public API."""

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from mimir.api import schema as _schema  # noqa: F401 - registers the Bearer scheme with the OpenAPI generator
from mimir.api.negotiation import TolerantNegotiation
from mimir.api.parsers import JSONParser
from mimir.lib.errors import NotAuthenticated

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class ApiView(APIView):
    """Bearer token, JSON body with limits, errors in one shape. A method validates, calls one function, serialises."""

    parser_classes: Any = (JSONParser,)
    content_negotiation_class: Any = TolerantNegotiation


def validated(serializer: type[Serializer[Any]], request: Request, **kwargs: Any) -> dict[str, Any]:
    """The checked body. Raises: ValidationError, which becomes 400 with each field's path."""
    bound = serializer(data=request.data, **kwargs)
    bound.is_valid(raise_exception=True)
    checked: dict[str, Any] = dict(bound.validated_data)
    return checked


def caller(request: Request) -> "User":
    """Who asks. Every view but the sign-in has one: DRF's permission comes first. Raises: NotAuthenticated."""
    if not request.user.is_authenticated:
        raise NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")
    return request.user
