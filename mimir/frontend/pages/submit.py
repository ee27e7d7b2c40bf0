"""The form that runs a job: empty, for one pipeline, or filled from an earlier job with the changes that a diagnosis proposes."""

import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.client import ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.joblook import job_title
from mimir.frontend.pages.shell import job_path, page, project_path, together
from mimir.frontend.session import signed_in

NAMES = ("pipeline", "version", "name", "labels", "priority", "cpu", "memory", "gpu", "timeout", "attempts", "key")
PRIORITIES = ("critical", "high", "normal", "low")
_FIELDS = {
    "parameters.pipeline": "pipeline",
    "parameters.version": "version",
    "parameters": "pipeline",
    "name": "name",
    "labels": "labels",
    "priority": "priority",
    "resources.cpu": "cpu",
    "resources.memory": "memory",
    "resources.gpu": "gpu",
    "resources": "memory",
    "timeout_seconds": "timeout",
    "max_attempts": "attempts",
}
_PATCHED = {"timeout_seconds": "timeout", "max_attempts": "attempts", "priority": "priority", "name": "name"}
_ADVANCED = ("labels", "priority", "gpu", "timeout", "attempts")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def submit(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/jobs/new/?pipeline=&version=` or `?from=<job>&patch=<JSON>`."""
    source = _uuid(request.GET.get("from", ""))
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        pipelines=lambda client: client.get(project_path(slug, "pipelines"), {"limit": 200}),
        source=lambda client: client.get(job_path(source)) if source else None,
    )
    changed: set[str] = set()
    if request.method == "POST":
        form = Form.posted(request.POST, *NAMES)
        made = _submitted(request, slug, form)
        if made is not None:
            return made
    else:
        form = Form(dict.fromkeys(NAMES, ""))
        form.values["key"] = str(uuid.uuid4())
        changed = _fill(form, request, got["source"])
    pipelines = [{"name": row["name"], "number": row["version"]["number"]} for row in got["pipelines"]["results"]]
    wanted = form.value("pipeline")
    if wanted and wanted not in [row["name"] for row in pipelines]:
        pipelines.append({"name": wanted, "number": None})
    context = {
        "form": form,
        "pipelines": pipelines,
        "priorities": PRIORITIES,
        "source": got["source"],
        "source_title": job_title(got["source"]) if got["source"] else "",
        "changed": changed,
        "differs": dict.fromkeys(changed, True),
        "advanced_open": any(form.errors.get(name) or name in changed or form.value(name) for name in _ADVANCED),
        "jobs_url": f"/api/v1/{project_path(slug, 'jobs')}",
        "latest": {row["name"]: row["number"] for row in pipelines},
    }
    return page(request, "jobs/submit.html", context, project=got["project"], here="jobs", status=400 if form.bad else 200)


def _uuid(value: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def _fill(form: Form, request: HttpRequest, source: dict[str, Any] | None) -> set[str]:
    """Fill in what the address asks for; the names of the fields that a patch changed."""
    if source is None:
        form.values |= {"pipeline": request.GET.get("pipeline", ""), "version": request.GET.get("version", "")}
        return set()
    parameters, resources = source["parameters"] or {}, source["resources"]
    form.values |= {
        "pipeline": str(parameters.get("pipeline", "")),
        "version": str(parameters.get("version", "")),
        "name": source["name"],
        "labels": "\n".join(f"{key}={value}" for key, value in sorted(source["labels"].items())),
        "priority": source["priority"],
        "cpu": str(resources["cpu"]),
        "memory": str(resources["memory"]),
        "gpu": str(resources.get("gpu") or ""),
        "timeout": str(source["timeout_seconds"]),
        "attempts": str(source["max_attempts"]),
    }
    before = dict(form.values)
    marked = _patch(form, request.GET.get("patch", ""))
    return marked | {name for name, value in form.values.items() if before.get(name) != value}


def _patch(form: Form, raw: str) -> set[str]:
    """Apply a patch of the API's request; fields it names without a value are for the reader to change."""
    try:
        patch = json.loads(raw) if raw else {}
    except ValueError:
        return set()
    if not isinstance(patch, dict):
        return set()
    marked: set[str] = set()
    for key, name in _PATCHED.items():
        if isinstance(patch.get(key), str | int) and not isinstance(patch.get(key), bool):
            form.values[name] = str(patch[key])
    resources = patch.get("resources")
    if isinstance(resources, dict):
        for name in ("cpu", "memory", "gpu"):
            if name in resources:
                form.values[name] = str(resources[name])
        marked |= {"cpu", "memory"} if not resources else set()
    parameters = patch.get("parameters")
    if isinstance(parameters, dict):
        form.values |= {name: str(parameters[name]) for name in ("pipeline", "version") if name in parameters}
    return marked


def _submitted(request: HttpRequest, slug: str, form: Form) -> HttpResponse | None:
    """To the new job's page; None when the form has to be shown again."""
    body = _body(form)
    if form.bad:
        return None
    key = form.value("key")
    headers = {"Idempotency-Key": key if 1 <= len(key) <= 200 and key.isascii() and key.isprintable() else str(uuid.uuid4())}
    try:
        made = api(request).post(project_path(slug, "jobs"), body, headers=headers)
    except ApiError as error:
        if error.status not in (400, 409, 413, 429):
            raise
        form.refused(error, _FIELDS)
        form.values["key"] = str(uuid.uuid4())
        return None
    return HttpResponseRedirect(f"/{job_path(made['id'])}")


def _body(form: Form) -> dict[str, Any]:
    """The API's request; what was left empty is left out. `static/js/submit.js` builds the same."""
    form.require("pipeline", "Choose a pipeline.")
    parameters: dict[str, Any] = {"pipeline": form.value("pipeline")}
    if (version := _whole(form, "version", "Give the number of a version, or leave it empty for the newest.")) is not None:
        parameters["version"] = version
    body: dict[str, Any] = {"type": "pipeline_execution", "parameters": parameters}
    if form.value("name"):
        body["name"] = form.value("name")
    if labels := _labels(form):
        body["labels"] = labels
    if form.value("priority"):
        body["priority"] = form.value("priority")
    resources: dict[str, Any] = {name: form.value(name) for name in ("cpu", "memory") if form.value(name)}
    if (gpu := _whole(form, "gpu", "Give a whole number of GPUs, or leave it empty.")) is not None:
        resources["gpu"] = gpu
    if resources:
        body["resources"] = resources
    if (timeout := _whole(form, "timeout", "Give whole seconds, for example 1800 for half an hour.")) is not None:
        body["timeout_seconds"] = timeout
    if (attempts := _whole(form, "attempts", "Give a whole number, for example 3.")) is not None:
        body["max_attempts"] = attempts
    return body


def _whole(form: Form, name: str, message: str) -> int | None:
    """The field as a whole number; None when it is empty or wrong, then with the message at it."""
    value = form.value(name)
    if not value:
        return None
    if value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    form.errors[name] = f"{value[:40]} does not fit. {message}"
    return None


def _labels(form: Form) -> dict[str, str]:
    """key=value, one on a line."""
    labels: dict[str, str] = {}
    for line in form.value("labels").splitlines():
        key, _, value = line.strip().partition("=")
        if key.strip():
            labels[key.strip()] = value.strip()
        elif line.strip():
            form.errors["labels"] = f"{line.strip()[:40]} has no key. Write key=value, one on a line."
    return labels
