"""Pipelines: list, editor with graph, versions and runs, and a new pipeline."""

import json
import re
import uuid
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.api_types.pipeline_shapes import PipelineVersion, SavedPipeline
from mimir.frontend.api_types.project_shapes import ProjectDetail
from mimir.frontend.forms import Form
from mimir.frontend.pages import editor
from mimir.frontend.pages.jobs.present import job_summary
from mimir.frontend.pages.pipelines import graph_layout
from mimir.frontend.pages.shell import RANKS, cursor_of, optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.lib.schemas.stephelp import step_help

RECENT_JOBS = 50  # fetched jobs of the project, filtered by this pipeline
SHOWN_JOBS = 5
_FIELDS = {"name": "name"}
_NOTICE, _NOTICE_SECONDS = "pipeline-notice", 600


@require_GET
@signed_in
def pipelines(request: HttpRequest, slug: str) -> HttpResponse:
    """List pipelines by name."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        pipelines=lambda client: client.get(
            project_path(slug, "pipelines"), {"cursor": request.GET.get("cursor"), "limit": 50}
        ),
    )
    rows = [
        {**row, "uses": _uses(row["version"]["definition"])} for row in got["pipelines"]["results"]
    ]
    return page(
        request,
        "pipelines/list.html",
        {"rows": rows, "older": cursor_of(got["pipelines"]["next"])},
        project=got["project"],
        here="pipelines",
    )


def _uses(definition: object) -> str:
    """IDs of the first steps, as text."""
    steps = definition.get("steps", []) if isinstance(definition, dict) else []
    return ", ".join(str(step.get("id", "")) for step in steps[:8] if isinstance(step, dict)) + (
        " …" if len(steps) > 8 else ""
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def pipeline_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Create a pipeline. The editor starts with a definition that runs."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        datasets=lambda client: client.get(project_path(slug, "datasets"), {"limit": 50}),
    )
    names = [row["name"] for row in got["datasets"]["results"]]
    if request.method == "POST":
        form = Form.posted(request.POST, "name", "definition", "etag")
        if request.POST.get("then") != "check":
            form.require("name", "Enter a pipeline name, for example daily-summary.")
        response = _saved(request, slug, form)
        if response is not None:
            return response
    else:
        requested = request.GET.get("dataset", "")
        form = Form(
            {
                "name": "",
                "definition": _example(requested or (names[0] if names else "")),
                "etag": '"0"',
            }
        )
    return _editor(request, got["project"], form, None)


def _example(dataset: str) -> str:
    """Example definition that runs in this project, on `dataset` or without data."""
    if dataset:
        table = re.sub(r"[^A-Za-z0-9_]", "_", dataset)[:40]
        table = table if re.match(r"[A-Za-z_]", table) else f"t_{table}"
        steps: list[Context] = [
            {"id": table, "uses": "read", "with": {"dataset": dataset}},
            {
                "id": "summary",
                "uses": "sql",
                "with": {"query": f"SELECT count(*) AS row_count FROM {table}"},
            },  # noqa: S608 - an example to edit
            {
                "id": "save",
                "uses": "write",
                "with": {"dataset": f"{dataset[:180]}_summary", "from": "summary"},
            },
        ]
    else:
        steps = [
            {
                "id": "numbers",
                "uses": "sql",
                "with": {
                    "query": (
                        "SELECT * FROM (VALUES (1, 'one'), (2, 'two'), (3, 'three')) AS t(n, word)"
                    )
                },
            },
            {"id": "save", "uses": "write", "with": {"dataset": "numbers", "from": "numbers"}},
        ]
    return editor.written({"steps": steps})


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def pipeline(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/pipelines/<name>/?version=`: graph, editor, versions and last runs."""
    form = Form.posted(request.POST, "definition", "etag")
    form.values["name"] = name
    if request.method == "POST":
        response = _saved(request, slug, form)
        if response is not None:
            return response
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        pipeline=lambda client: client.get_with_etag(project_path(slug, "pipelines", name)),
        jobs=lambda client: client.get(
            project_path(slug, "jobs"), {"type": "pipeline_execution", "limit": RECENT_JOBS}
        ),
    )
    found, etag = got["pipeline"]
    version = _version(found["versions"], request.GET.get("version", ""))
    if request.method != "POST":
        form.values |= {"definition": editor.written(version["definition"]), "etag": etag}
    elif "changed_meanwhile" in form.values:
        form.values["etag"] = etag
    jobs = [
        job for job in got["jobs"]["results"] if (job["parameters"] or {}).get("pipeline") == name
    ][:SHOWN_JOBS]
    context = {
        "version": version,
        "versions": found["versions"],
        "more_versions": found.get("next"),
        "is_newest": version["number"] == found["versions"][0]["number"],
        "newest": found["versions"][0]["number"],
        "diff": _diff(version, found["versions"], request.GET.get("compare", "")),
        "jobs": [job_summary(job) for job in jobs],
        "run_url": f"/{project_path(slug, 'jobs', 'new')}?{urlencode({'pipeline': name, 'version': version['number']})}",  # noqa: E501
    }
    return _editor(request, got["project"], form, context)


def _version(versions: list[PipelineVersion], requested: str) -> PipelineVersion:
    """Return the requested version, by default the newest.

    Raises: ApiError 404.
    """
    for version in versions:
        if not requested or str(version["number"]) == requested:
            return version
    raise ApiError(
        404,
        "not_found",
        f"Version {requested[:20]} is not among the last {len(versions)} versions of this "
        "pipeline.",
    )


def _diff(
    version: PipelineVersion, versions: list[PipelineVersion], requested: str
) -> Context | None:
    """Compare `version` with the requested one; None without one."""
    other = next((one for one in versions if str(one["number"]) == requested), None)
    if other is None:
        return None
    return {
        "first": version["number"],
        "second": other["number"],
        **editor.diff(version["definition"], other["definition"]),
    }


def _editor(
    request: HttpRequest, project: ProjectDetail, form: Form, context: Context | None
) -> HttpResponse:
    """Render the editor page. `context` is None for a new pipeline."""
    nothing: Context = {"valid": False, "errors": [], "graph": {}}
    only_checked = bool(form.values.get("checked"))
    check = together(
        request,
        check=optional(partial(_checked, str(project["slug"]), form.value("definition")), nothing),
    )["check"]
    graph = check["graph"]
    drawn = graph_layout.draw(graph.get("nodes", []), graph.get("edges", []))
    shown = {
        "form": form,
        "new": context is None,
        "refused": form.bad and not only_checked,
        "faults": editor.faults(form) or (check["errors"] if only_checked else []),
        "okay": only_checked and check["valid"],
        "summary": _summary(check) if only_checked else "",
        "notice": _notice(request),
        "step_types": step_help(),
        "idempotency_key": request.POST.get("idempotency_key") or str(uuid.uuid4()),
        "drawing": _drawing(drawn) if drawn else None,
        "can_save": RANKS.get(project["role"], 0) >= RANKS["maintainer"]
        and project["status"] == "active",
        **(context or {}),
    }
    return page(
        request,
        "pipelines/pipeline.html",
        shown,
        project=project,
        here="pipelines",
        status=400 if shown["refused"] else 200,
    )


def _drawing(drawn: graph_layout.Drawing) -> Context:
    nodes = [
        {"x": node.x, "y": node.y, "line": node.uses, "step": {"id": node.id, "status": node.uses}}
        for node in drawn.nodes
    ]
    return {
        "width": drawn.width,
        "height": drawn.height,
        "nodes": nodes,
        "edges": [path for _, _, path in drawn.edges],
    }


def _summary(check: Context) -> str:
    """Summary of a check, and whether errors prevent saving."""
    if check["errors"] and check.get("can_be_saved"):
        return f"You can save it, but a job fails with the current data. {check.get('summary', '')}"
    return str(check.get("summary", ""))


def _checked(slug: str, definition: str, client: Api) -> Any:
    """Check a definition: {"valid", "can_be_saved", "errors", "summary", "graph"}."""
    try:
        value = json.loads(definition)
    except ValueError:
        return {"valid": False, "errors": [], "graph": {}}
    return client.post(project_path(slug, "pipelines", "validate"), {"definition": value})


def _saved(request: HttpRequest, slug: str, form: Form) -> HttpResponse | None:
    """Save the definition. Returns the redirect; None if it was refused or only checked."""
    definition = editor.read(request, form)
    if request.POST.get("then") == "check":
        form.values["checked"] = "1"
        return None
    if form.bad:
        return None
    etag = form.value("etag")
    headers = {"If-Match": etag} if etag and etag != '"0"' else None
    try:
        pipeline = api(request).post(
            project_path(slug, "pipelines"),
            {"name": form.value("name"), "definition": definition},
            headers=headers,
        )
    except ApiError as error:
        if error.status not in (400, 409, 412, 413, 429):
            raise
        _refused(form, error)
        return None
    if request.POST.get("then") == "run":
        return _run(request, slug, pipeline)
    return _to_pipeline(slug, pipeline, _after_saving(pipeline))


def _after_saving(pipeline: SavedPipeline) -> str:
    """Notice after saving; empty for a new version without warnings."""
    number, warnings = pipeline["version"]["number"], pipeline.get("warnings", [])
    if not pipeline.get("created", True):
        return f"No changes: version {number} is current."
    if not warnings:
        return ""
    first = f"{warnings[0]['path']} {warnings[0]['message']}"
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    return f"Version {number} is saved. A job fails with the current data: {first}{more}."


def _run(request: HttpRequest, slug: str, pipeline: SavedPipeline) -> HttpResponse:
    """Submit a job of the saved version.

    If the API refuses, show the pipeline page with the reason.
    """
    number = pipeline["version"]["number"]
    key = request.POST.get("idempotency_key", "")
    headers = {
        "Idempotency-Key": key
        if 1 <= len(key) <= 200 and key.isascii() and key.isprintable()
        else str(uuid.uuid4())
    }
    body = {
        "type": "pipeline_execution",
        "parameters": {"pipeline": pipeline["name"], "version": number},
    }
    try:
        job = api(request).post(project_path(slug, "jobs"), body, headers=headers)
    except ApiError as error:
        if error.status not in (400, 403, 409, 413, 429):
            raise
        reason = next(
            (text for text in error.detail.values() if isinstance(text, str)), error.message
        )
        outcome = (
            f"Version {number} is saved"
            if pipeline.get("created", True)
            else f"No changes: version {number} is current"
        )
        return _to_pipeline(slug, pipeline, f"{outcome}. The job was not started: {reason}.")
    return HttpResponseRedirect(f"/jobs/{job['id']}/")


def _to_pipeline(slug: str, pipeline: SavedPipeline, notice: str) -> HttpResponse:
    """Redirect to the pipeline's page with a notice.

    The notice is signed: nobody can craft a link that shows their own text.
    """
    query = (
        f"?{urlencode({'notice': signing.dumps(notice[:600], salt=_NOTICE, compress=True)})}"
        if notice
        else ""
    )
    return HttpResponseRedirect(f"/{project_path(slug, 'pipelines', pipeline['name'])}{query}")


def _notice(request: HttpRequest) -> str:
    try:
        return str(
            signing.loads(request.GET.get("notice", ""), salt=_NOTICE, max_age=_NOTICE_SECONDS)
        )
    except signing.BadSignature:
        return ""


def _refused(form: Form, error: ApiError) -> None:
    if error.status == 412:
        form.general.append(
            "Someone saved a newer version while you edited this one. Review it under Versions,"
            " then save again to create the next version."
        )
        form.values["changed_meanwhile"] = "1"
        return
    editor.refused(form, error, _FIELDS)
