"""Clusters, for administrators: list, create, change, enable, disable, remove."""

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.clusters.present import FIELDS, PATHS, body_of, cluster_row, form_of
from mimir.frontend.pages.shell import cursor_of, page
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

CACHES = (("empty_dir", "none: a new one for each worker"), ("claim", "model-cache-pvc"))
_CHANGED = (
    "Someone changed the cluster while this form was open. Save again to overwrite their changes."
)


@require_GET
@signed_in
def clusters(request: HttpRequest) -> HttpResponse:
    """`/system/clusters/`. The API refuses users without administrator rights."""
    got = api(request).get("clusters/", {"cursor": request.GET.get("cursor"), "limit": 50})
    context = {
        "rows": [cluster_row(row) for row in got["results"]],
        "older": cursor_of(got["next"]),
    }
    return page(request, "system/clusters.html", context, here="system")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cluster_new(request: HttpRequest) -> HttpResponse:
    """Create a cluster."""
    form = form_of(None)
    if request.method == "POST":
        form = Form.posted(request.POST, *FIELDS)
        form.require("name", "Enter a name for the cluster.")
        body = body_of(form, kubernetes=True) | {"name": form.value("name")}
        if not form.bad and (created := _sent(request, form, "POST", "clusters/", body)):
            return HttpResponseRedirect(f"/system/clusters/{created['name']}/")
    else:
        api(request).get("clusters/", {"limit": 1})  # refuses users who cannot create a cluster
    context = {"form": form, "caches": CACHES, "kubernetes": True, "row": None}
    return page(
        request, "system/cluster.html", context, here="system", status=400 if form.bad else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cluster(request: HttpRequest, name: str) -> HttpResponse:
    """Show one cluster. POST saves the form, or with `then` enables, disables or removes it."""
    path = f"clusters/{quote(name, safe='')}/"
    row, etag = api(request).get_with_etag(path)
    form, kubernetes = form_of(row, etag), row["launcher"] == "kubernetes"
    if request.method == "POST":
        then = request.POST.get("then", "")
        if then not in ("on", "off", "remove"):
            form = Form.posted(request.POST, *FIELDS)
        body = (
            {"enabled": then == "on"}
            if then in ("on", "off")
            else body_of(form, kubernetes=kubernetes)
        )
        method, back = (
            ("DELETE", "/system/clusters/") if then == "remove" else ("PATCH", f"/system/{path}")
        )
        if (
            not form.bad
            and _sent(request, form, method, path, body, etag=form.value("etag"), now=etag)
            is not None
        ):
            return HttpResponseRedirect(back)
    context = {"form": form, "caches": CACHES, "kubernetes": kubernetes, "row": cluster_row(row)}
    return page(
        request, "system/cluster.html", context, here="system", status=400 if form.bad else 200
    )


def _sent(
    request: HttpRequest,
    form: Form,
    method: str,
    path: str,
    body: Context,
    *,
    etag: str = "",
    now: str = "",
) -> Any:
    """Return the API's answer; None with its messages in the form if it refuses.

    `etag` is the ETag that the form was read with, `now` the current one.
    """
    headers = {"If-Match": etag} if etag else None
    try:
        if method == "DELETE":
            return api(request).delete(path, headers=headers)
        send = api(request).post if method == "POST" else api(request).patch
        return send(path, body, headers=headers)
    except ApiError as error:
        if error.status not in (400, 409, 412):
            raise
        if error.status == 412:
            form.general.append(_CHANGED)
            form.values["etag"] = now
        elif error.status == 409 and error.code == "cluster_in_use":
            form.general.append(error.message)
        else:
            form.refused(error, PATHS)
        return None
