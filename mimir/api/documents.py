"""The OpenAPI document, made once for each media type, and the page that shows it. Both are for whoever is signed in."""

import threading
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from mimir.api.authentication import BearerAuthentication
from mimir.lib.errors import NotAuthenticated

SIGN_IN_PATH = "/signin/"  # a page of the frontend, which is where this page is reached
_made: dict[str, tuple[bytes, dict[str, str]]] = {}
_making = threading.Lock()


class SchemaView(SpectacularAPIView):
    """`/api/schema/`. Making it takes a good part of a second of a core; it never changes while a process runs."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (IsAuthenticated,)

    @extend_schema(exclude=True)
    def get(self, request: Request, *arguments: Any, **named: Any) -> HttpResponse:
        """The document, as JSON or YAML by Accept."""
        kind = str(request.accepted_renderer.media_type)
        with _making:
            if kind not in _made:
                response = self.finalize_response(request, super().get(request, *arguments, **named))  # type: ignore[no-untyped-call]
                _made[kind] = (response.render().content, dict(response.items()))
        content, headers = _made[kind]
        return HttpResponse(content, headers=headers)


class DocumentationView(SpectacularSwaggerSplitView):
    """`/api/docs/`: Swagger UI with its script at an address of its own, so that the page needs no inline script."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (IsAuthenticated,)
    template_name = "mimir/documentation.html"

    def handle_exception(self, exc: Exception) -> Any:
        """Send whoever is not signed in to the sign-in page, and from there back."""
        response = super().handle_exception(exc)
        if response.status_code == NotAuthenticated.status:
            return HttpResponseRedirect(f"{SIGN_IN_PATH}?{urlencode({'next': self.request.get_full_path()})}")
        return response
