"""The OpenAPI document, built once per process, and its page. Both need a sign-in."""

import functools
import hashlib
import threading
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from mimir.api.authentication import BearerAuthentication
from mimir.api.conditional import finish
from mimir.api.views import ApiView
from mimir.lib.errors import NotAuthenticated

SIGN_IN_PATH = "/signin/"  # a page of the frontend, through which people reach this page
_RENDERERS = {"yaml": OpenApiYamlRenderer, "json": OpenApiJsonRenderer}
_building = threading.Lock()
_FORMAT = OpenApiParameter(
    "format",
    OpenApiTypes.STR,
    enum=list(_RENDERERS),
    description="Default: the format in Accept, else YAML.",
)


class SchemaView(ApiView):
    """`/api/schema/`: the document. It depends only on the code."""

    @extend_schema(operation_id="schema", exclude=True, parameters=[_FORMAT], request=None)
    def get(self, request: Request) -> HttpResponse:
        """Return the document as YAML or JSON."""
        kind = self.query.get("format") or _preferred(request)
        body = document(kind)
        media_type = (
            _RENDERERS[kind].media_type
            if _accepted_media_type(request) not in _RENDERERS
            else f"application/{kind}"
        )
        response = HttpResponse(body, content_type=media_type)
        response["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        response["Vary"] = "Accept"
        return finish(request, response) or response


def _accepted_media_type(request: HttpRequest | Request) -> str:
    accept = request.headers.get("Accept", "").lower()
    return next((kind for kind in _RENDERERS if f"application/{kind}" in accept), "")


def _preferred(request: Request) -> str:
    return "json" if "json" in request.headers.get("Accept", "").lower() else "yaml"


def document(kind: str) -> bytes:
    """Return the rendered document. One thread builds it, others wait."""
    with _building:
        return _built(kind)


@functools.cache
def _built(kind: str) -> bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: Any = _RENDERERS[kind]().render(schema, renderer_context={})
    return bytes(rendered)


class DocumentationView(SpectacularSwaggerSplitView):
    """`/api/docs/`: Swagger UI. Its script has its own URL: the page needs no inline script."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (IsAuthenticated,)
    template_name = "mimir/documentation.html"

    def handle_exception(self, exc: Exception) -> Any:
        """Redirect a user without a sign-in to the sign-in page, which leads back here."""
        response = super().handle_exception(exc)
        if response.status_code == NotAuthenticated.status:
            return HttpResponseRedirect(
                f"{SIGN_IN_PATH}?{urlencode({'next': self.request.get_full_path()})}"
            )
        return response
