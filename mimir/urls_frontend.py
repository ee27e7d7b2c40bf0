"""URLs of the frontend: its pages.

`mimir.frontend.proxy.application` handles `/api`, `/ws`, `/admin`.
"""

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

handler400 = "mimir.frontend.error_pages.bad_request"
handler403 = "mimir.frontend.error_pages.permission_denied"
handler404 = "mimir.frontend.error_pages.not_found"
handler500 = "mimir.frontend.error_pages.server_error"
