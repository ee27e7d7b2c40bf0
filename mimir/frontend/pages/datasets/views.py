"""Datasets: list, upload, and one dataset with preview, columns, versions, lineage and uses."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.api_types.dataset_shapes import DatasetVersion
from mimir.frontend.forms import Form
from mimir.frontend.pages.datasets import present as columns
from mimir.frontend.pages.datasets import version_views as version_views
from mimir.frontend.pages.lineage.present import NOTHING, lineage_of
from mimir.frontend.pages.shell import cursor_of, optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

PREVIEW_ROWS = 100
TABS = {"": "Preview", "columns": "Columns", "versions": "Versions", "file": "File"}
_FIELDS = {"name": "name", "file": "file"}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def datasets(request: HttpRequest, slug: str) -> HttpResponse:
    """List datasets. POST stages an upload from a browser without JavaScript.

    With JavaScript, the browser sends the file directly to the API.
    """
    form = Form.posted(request.POST, "name")
    if request.method == "POST":
        response = _upload(request, slug, form)
        if response is not None:
            return response
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        datasets=lambda client: client.get(
            project_path(slug, "datasets"), {"cursor": request.GET.get("cursor"), "limit": 50}
        ),
    )
    context = {
        "rows": got["datasets"]["results"],
        "older": cursor_of(got["datasets"]["next"]),
        "form": form,
    }
    return page(
        request,
        "datasets/list.html",
        context,
        project=got["project"],
        here="datasets",
        status=400 if form.bad else 200,
    )


def _upload(request: HttpRequest, slug: str, form: Form) -> HttpResponse | None:
    """Return the redirect of a staged upload; None if the form must be shown again."""
    file = request.FILES.get("file")
    form.require("name", "Enter a dataset name, for example trips.")
    if file is None:
        form.errors["file"] = "Choose a file: CSV, Excel, JSON, Parquet or Arrow."
    if form.bad or file is None:
        return None
    stream: Any = file.file
    try:
        staged = api(request).upload(
            project_path(slug, "uploads"),
            {},
            {"file": (file.name or "upload", stream, "application/octet-stream")},
        )
    except ApiError as error:
        if error.status not in (400, 409, 413, 429):
            raise
        form.refused(error, _FIELDS)
        return None
    return HttpResponseRedirect(
        f"/{project_path(slug, 'datasets', 'import', staged['id'])}?{urlencode({'name': form.value('name')})}"  # noqa: E501
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def dataset(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/datasets/<name>/?version=&tab=columns|versions|file`.

    `&profile=1` waits until the profile is computed. POST: see `version_views.change`.
    """
    form = Form()
    if (
        request.method == "POST"
        and (done := version_views.change(request, slug, name, form)) is not None
    ):
        return done
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        dataset=lambda client: client.get(
            project_path(slug, "datasets", name),
            {"limit": 100, "cursor": request.GET.get("cursor")},
        ),
    )
    versions = got["dataset"]["versions"]
    number_text = request.GET.get("version", "") or str(got["dataset"]["current_version"])
    version = _version(api(request), slug, name, versions, number_text)
    number = version["number"]
    tab = request.GET.get("tab", "") if request.GET.get("tab") in TABS else ""
    context = {
        **_content(request, slug, name, version, tab),
        "name": name,
        "version": version,
        "versions": versions,
        "numbers": sorted({number, *(one["number"] for one in versions)}, reverse=True),
        "current_number": got["dataset"]["current_version"],
        "is_current": version["current"],
        "form": form,
        "older": cursor_of(got["dataset"].get("next")),
        "tab": tab,
        "tabs": [
            {"word": word, "url": _tab_url(number, key), "here": key == tab}
            for key, word in TABS.items()
        ],
        "origin": f"Uploaded by {version['created_by']}" if version["created_by"] else "Uploaded",
        "uses": _uses(slug, name, None if version["current"] else number),
    }
    return page(
        request,
        "datasets/dataset.html",
        context,
        project=got["project"],
        here="datasets",
        status=409 if form.bad else 200,
    )


def _content(
    request: HttpRequest, slug: str, name: str, version: DatasetVersion, tab: str
) -> Context:
    """Fetch one version's rows, columns, lineage, downloads and import warnings."""
    number = version["number"]
    path = project_path(slug, "datasets", name, "versions", str(number))
    shown = together(
        request,
        rows=partial(_rows, f"{path}rows/")
        if not tab
        else lambda client: {"columns": [], "rows": [], "truncated": False},
        profile=partial(_profile, f"{path}profile/", "profile" in request.GET)
        if tab in ("", "columns")
        else lambda client: None,
        detail=optional(lambda client: client.get(path), version_views.NOTHING),
        lineage=optional(
            lambda client: client.get(
                project_path(slug, "lineage"), {"of": f"dataset:{name}@{number}"}
            ),
            NOTHING,
        ),
    )
    profile = shown["profile"]
    return {
        "detail": shown["detail"],
        "breaking": any(change["kind"] != "added" for change in shown["detail"]["column_changes"]),
        "table": columns.table(shown["rows"], profile),
        "columns": columns.listed(version["schema"], profile) if tab == "columns" else [],
        "rows_error": shown["rows"].get("error", ""),
        "profile_there": profile is not None,
        "profile_fault": profile["fault"] if profile else "",
        "profile_api": f"/api/v1/{path}profile/",
        "profile_url": f"{_tab_url(number, tab)}&profile=1",
        "lineage": lineage_of(shown["lineage"], slug),
        "downloads": _downloads(f"/api/v1/{path}content/", version["format"]),
    }


def _tab_url(number: int, tab: str) -> str:
    return f"?{urlencode({'version': number, **({'tab': tab} if tab else {})})}"


def _version(
    client: Api, slug: str, name: str, versions: list[DatasetVersion], number_text: str
) -> DatasetVersion:
    """Return the requested version; fetch it if it is not on the listed page.

    Raises: ApiError.
    """
    for version in versions:
        if str(version["number"]) == number_text:
            return version
    if not (number_text.isascii() and number_text.isdigit() and len(number_text) < 10):
        raise ApiError(404, "not_found", "The version must be a number.")
    found: DatasetVersion = client.get(
        project_path(slug, "datasets", name, "versions", number_text)
    )
    return found


def _rows(path: str, client: Api) -> Any:
    """Fetch the preview rows; without them, an empty preview with the reason in `error`."""
    try:
        return client.get(path, {"limit": PREVIEW_ROWS})
    except ApiError as error:
        if error.status in (401, 503):
            raise
        return {"columns": [], "rows": [], "truncated": False, "error": error.message}


def _profile(path: str, wait: bool, client: Api) -> Any:
    """Fetch the profile; None if it is not computed yet.

    If it cannot be computed, `fault` has the reason. `wait`: compute it now.
    """
    try:
        return client.get(path, None if wait else {"stored": "true"})
    except ApiError as error:
        if error.status == 401:
            raise
        if error.code == "not_computed" or (error.status in (429, 503) and not wait):
            return None
        return {"row_count": 0, "columns": [], "fault": error.message}


def _downloads(base: str, stored: str) -> list[dict[str, str]]:
    labels = {"csv": "CSV", "parquet": "Parquet", "jsonl": "JSON Lines"}
    downloads = [{"word": labels[kind], "url": f"{base}?as={kind}"} for kind in ("csv", "parquet")]
    if stored not in ("csv", "parquet"):
        downloads.append({"word": f"{labels.get(stored, stored)}, as stored", "url": base})
    return downloads


def _uses(slug: str, name: str, number: int | None) -> list[dict[str, str]]:
    """List links to forms prefilled with version `number`; None: the newest at submit time.

    The forms of a prediction and a pipeline have no dataset version. `needs`: required permission.
    """
    form = f"/{project_path(slug, 'jobs', 'new')}"
    about = {"dataset": name, **({"version": number} if number is not None else {})}
    return [
        {
            "word": "Train a model",
            "icon": "ml_training",
            "url": f"{form}?{urlencode({'type': 'ml_training', **about})}",
            "needs": "run",
        },
        {
            "word": "Predict its rows",
            "icon": "ml_inference",
            "url": f"{form}?{urlencode({'type': 'ml_inference', 'dataset': name})}",
            "needs": "run",
        },
        {
            "word": "Update a twin",
            "icon": "digital_twin_update",
            "url": f"{form}?{urlencode({'type': 'digital_twin_update', **about})}",
            "needs": "run",
        },
        {
            "word": "Write a pipeline",
            "icon": "pipeline_execution",
            "url": f"/{project_path(slug, 'pipelines', 'new')}?{urlencode({'dataset': name})}",
            "needs": "edit",
        },
    ]
