"""`GET /api/schema/`: the OpenAPI document, built once per process. It depends on the code alone, not on who asks."""

import functools
import hashlib
import threading
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from mimir.api.answers import finish
from mimir.api.views import ApiView

_RENDERERS = {"yaml": OpenApiYamlRenderer, "json": OpenApiJsonRenderer}
_building = threading.Lock()
_FORMAT = OpenApiParameter("format", OpenApiTypes.STR, enum=list(_RENDERERS), description="Default: as Accept says, else YAML.")


class SchemaView(ApiView):
    """The document, open to everybody: it names no data."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="schema", exclude=True, parameters=[_FORMAT], request=None)
    def get(self, request: Request) -> HttpResponse:
        """As YAML or JSON."""
        kind = self.query.get("format") or _preferred(request)
        body = document(kind)
        media_type = _RENDERERS[kind].media_type if _asked_media_type(request) not in _RENDERERS else f"application/{kind}"
        response = HttpResponse(body, content_type=media_type)
        response["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        response["Cache-Control"] = "no-cache"
        response["Vary"] = "Accept"
        return finish(request, response) or response


def _asked_media_type(request: HttpRequest | Request) -> str:
    accept = request.headers.get("Accept", "").lower()
    return next((kind for kind in _RENDERERS if f"application/{kind}" in accept), "")


def _preferred(request: Request) -> str:
    return "json" if "json" in request.headers.get("Accept", "").lower() else "yaml"


def document(kind: str) -> bytes:
    """The rendered document. One thread builds it, others wait for that one."""
    with _building:
        return _built(kind)


@functools.cache
def _built(kind: str) -> bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: Any = _RENDERERS[kind]().render(schema, renderer_context={})
    return bytes(rendered)
