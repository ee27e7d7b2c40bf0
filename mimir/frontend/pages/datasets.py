"""Datasets: what there is, upload, and one dataset with its versions, columns and first rows."""

import re
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from mimir.frontend import text
from mimir.frontend.client import ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.joblook import job_title
from mimir.frontend.pages.shell import cursor_of, job_path, optional, page, project_path, together
from mimir.frontend.session import signed_in

PREVIEW_ROWS = 100
CELL_CHARS_MAX = 300
_FIELDS = {"name": "name", "file": "file"}
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|REAL|DECIMAL.*", re.IGNORECASE)  # as DuckDB names types


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def datasets(request: HttpRequest, slug: str) -> HttpResponse:
    """The list; POST is the upload of a browser without script (with it, the file goes straight to the API)."""
    form = Form.posted(request.POST, "name")
    if request.method == "POST":
        made = _upload(request, slug, form)
        if made is not None:
            return made
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        datasets=lambda client: client.get(project_path(slug, "datasets"), {"cursor": request.GET.get("cursor"), "limit": 50}),
    )
    context = {"rows": got["datasets"]["results"], "older": cursor_of(got["datasets"]["next"]), "form": form}
    return page(request, "datasets/list.html", context, project=got["project"], here="datasets", status=400 if form.bad else 200)


def _upload(request: HttpRequest, slug: str, form: Form) -> HttpResponse | None:
    """Where to go when it worked; None when the form has to be shown again."""
    file = request.FILES.get("file")
    form.require("name", "Give the dataset a name, for example trips.")
    if file is None:
        form.errors["file"] = "Choose a file: CSV, JSON lines or Parquet."
    if form.bad or file is None:
        return None
    stream: Any = file.file
    try:
        made = api(request).upload(
            project_path(slug, "datasets"),
            {"name": form.value("name")},
            {"file": (file.name or "upload", stream, "application/octet-stream")},
        )
    except ApiError as error:
        if error.status not in (400, 409, 413):
            raise
        form.refused(error, _FIELDS)
        return None
    return HttpResponseRedirect(f"/{project_path(slug, 'datasets', made['name'])}")


@require_GET
@signed_in
def dataset(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/datasets/<name>/?version=`."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        dataset=lambda client: client.get(project_path(slug, "datasets", name), {"limit": 100, "cursor": request.GET.get("cursor")}),
    )
    versions = got["dataset"]["versions"]
    version = _version(versions, request.GET.get("version", ""))
    path = project_path(slug, "datasets", name, "versions", str(version["number"]), "rows")
    shown = together(
        request,
        rows=_rows(path),
        job=optional(lambda client: client.get(job_path(version["job"])), {}) if version["job"] else lambda client: {},
    )
    base = f"/api/v1/{project_path(slug, 'datasets', name)}versions/{version['number']}/content/"
    context = {
        "name": name,
        "version": version,
        "versions": versions,
        "newest": versions[0]["number"],
        "is_newest": version["number"] == versions[0]["number"],
        "older": cursor_of(got["dataset"].get("next")),
        "table": _table(shown["rows"]),
        "rows_error": shown["rows"].get("error", ""),
        "job": shown["job"],
        "reads": [one for one in shown["job"].get("inputs", []) if one["kind"] == "dataset"],
        "job_title": job_title(shown["job"]) if shown["job"] else "",
        "downloads": _downloads(base, version["format"]),
        "use_url": f"/{project_path(slug, 'pipelines', 'new')}?dataset={quote(name)}",
    }
    return page(request, "datasets/dataset.html", context, project=got["project"], here="datasets")


def _version(versions: list[dict[str, Any]], asked: str) -> dict[str, Any]:
    """The version asked for, the newest without one. Raises: ApiError."""
    if not versions:
        raise ApiError(404, "not_found", "This dataset has no such version.")
    if not asked:
        return versions[0]
    for version in versions:
        if str(version["number"]) == asked:
            return version
    raise ApiError(404, "not_found", f"This dataset has no version {asked[:20]} among the {len(versions)} listed here.")


def _rows(path: str) -> Any:
    """The preview; what cannot be previewed still has its page, with the reason."""

    def call(client: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = client.get(path, {"limit": PREVIEW_ROWS})
            return found
        except ApiError as error:
            if error.status in (401, 503):
                raise
            return {"columns": [], "rows": [], "truncated": False, "error": error.message}

    return call


def _table(found: dict[str, Any]) -> dict[str, Any]:
    """Columns and cells as text; numbers to the right."""
    columns = [
        {"name": text.visible(column["name"]), "type": text.visible(column["type"]).lower(), "right": _is_number(str(column["type"]))}
        for column in found["columns"]
    ]
    rights = [bool(column["right"]) for column in columns]
    rows = [[_cell(value, right) for value, right in zip(row, rights, strict=False)] for row in found["rows"]]
    return {"columns": columns, "rows": rows, "truncated": found["truncated"]}


def _is_number(kind: str) -> bool:
    return _NUMBERS.fullmatch(kind) is not None


def _cell(value: Any, right: bool) -> dict[str, Any]:
    if value is None:
        return {"text": "missing", "null": True, "right": right, "whole": ""}
    shown = (
        ("true" if value else "false") if isinstance(value, bool) else text.visible(value).replace("\n", "\u240a").replace("\t", "\u2409")
    )
    cut = len(shown) > CELL_CHARS_MAX
    return {"text": shown[:CELL_CHARS_MAX] + ("…" if cut else ""), "null": False, "right": right, "whole": shown[:4000] if cut else ""}


def _downloads(base: str, stored: str) -> list[dict[str, str]]:
    words = {"csv": "CSV", "parquet": "Parquet", "jsonl": "JSON lines"}
    made = [{"word": words[kind], "url": f"{base}?as={kind}"} for kind in ("csv", "parquet")]
    if stored not in ("csv", "parquet"):
        made.append({"word": f"{words.get(stored, stored)}, as stored", "url": base})
    return made
