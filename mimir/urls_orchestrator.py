"""URLs of the orchestrator: public API, worker API, admin and metrics.

`mimir.health` answers `/health` and `/ready`.
"""

from django.contrib import admin
from django.urls import include, path

from mimir.api.documents import DocumentationView, SchemaView

urlpatterns = [
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocumentationView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("projects.urls")),
    path("api/v1/", include("jobs.api.urls")),
    path("api/v1/", include("monitoring.api.urls")),
    path("worker/v1/", include("jobs.api.worker_urls")),
    path("admin/", admin.site.urls),
    path("", include("django_prometheus.urls")),
]

handler400 = "mimir.api.errors.bad_request"
handler403 = "mimir.api.errors.permission_denied"
handler404 = "mimir.api.errors.not_found"
handler500 = "mimir.api.errors.server_error"
