"""URLs of the frontend: pages. `mimir.frontend.proxy.application` handles `/api`, `/ws`, `/admin`."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path(
        "admin",
        RedirectView.as_view(
            url="/admin/", permanent=True, http_method_names=["get", "head", "options"]
        ),
    ),
    path("", include("mimir.frontend.page_urls")),
]

handler400 = "mimir.frontend.errors.bad_request"
handler403 = "mimir.frontend.errors.permission_denied"
handler404 = "mimir.frontend.errors.not_found"
handler500 = "mimir.frontend.errors.server_error"
