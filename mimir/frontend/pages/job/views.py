"""One job: status and reason, steps, log, results; cancel and run again."""

import json
import uuid
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_POST

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Diagnosis, Event, Job, UsageSeries
from mimir.frontend.client import Api, ApiError, api
from mimir.frontend.pages.job import history, metric_plot, result, step_log, step_view
from mimir.frontend.pages.job.log_tail import log_tail
from mimir.frontend.pages.jobs.present import (
    ENDED,
    cancelled,
    empty_log,
    job_summary,
    status_shape,
)
from mimir.frontend.pages.pipelines import graph_layout
from mimir.frontend.pages.shell import RANKS, job_path, optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.frontend.template_tags import STATUS_LABELS

NOTHING_TO_DO = "Nothing to do"  # the API's label for "no next step"; the page shows none
CHANGED_BY_PEOPLE = frozenset(  # causes fixed by a change of the request or the definition
    {
        "workload_failed",
        "invalid_input",
        "signature_mismatch",
        "model_corrupt",
        "exit_code",
        "signal",
        "out_of_memory",
        "log_limit_exceeded",
        "artifact_limit_exceeded",
        "disk_full",
        "evicted_disk_limit",
    }
)
EVENT_PAGES_MAX, EVENT_PAGE = 5, 1000
ATTEMPT_PAGES_MAX, ATTEMPT_PAGE = 5, 200
LOGS_OFFERED = 12
_GRAPHS_KEPT = 256
_graphs: dict[
    tuple[str, str, int], Context
] = {}  # graphs of pipeline versions, which are immutable


@require_GET
@signed_in
def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """`/jobs/<id>/?attempt=&steps=graph|table`.

    The page's script reloads it after a socket message and replaces the parts that differ.
    """
    row = api(request).get(job_path(job_id))
    slug = row["project"]
    attempt = _requested_attempt(request, row)
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        events=partial(_events, row["id"]),
        attempts=partial(_attempts, row["id"]),
        artifacts=lambda client: client.get(job_path(job_id, "artifacts"), {"limit": 200}),
        usage=optional(
            lambda client: client.get(job_path(job_id, "usage"), {"attempt": attempt}),
            {"results": [], "limit_bytes": None},
        ),
        graph=partial(_graph, row),
        tail=partial(_tail, row),
    )
    context = {
        **_context(row, got, attempt, request.GET.get("steps", "")),
        "retry_key": str(uuid.uuid4()),
    }
    context["chosen"] = _chosen(request, row, context["steps"], got["graph"].get("definition"))
    return page(request, "jobs/job.html", context, project=got["project"], here="jobs")


def _context(row: Job, got: Context, attempt: int, view: str) -> Context:
    events = got["events"]["results"]
    diagnosis = _diagnosis(row)
    tries = history.attempts(got["attempts"]["results"], row)
    shown = next((one for one in tries if one["number"] == attempt), None)
    starved = row["status"] == "failed" and row["reason"] == "out_of_memory"
    outputs = result.outputs(row)
    usage = _usage(got["usage"], shown["peak_memory_bytes"] if shown else None, wide=starved)
    return {
        "job": row,
        "summary": job_summary(row),
        "ended": row["status"] in ENDED,
        "may_act": RANKS.get(got["project"]["role"], 0) >= RANKS["operator"],
        "waiting": row["waiting"],
        "rules": history.rules(row["waiting"]) if row["waiting"] else [],
        "estimate": formatting.about(row["waiting"]["estimate_seconds"]) if row["waiting"] else "",
        "diagnosis": diagnosis,
        "last_lines": got["tail"]["lines"],
        "again_is_best": not (diagnosis and diagnosis["next_steps"]),
        "cancelled": cancelled(row) if row["status"] == "cancelled" else "",
        "log_state": empty_log(row),
        "launching_since": _launching_since(row, events),
        "status_word": STATUS_LABELS.get(row["status"], row["status"]),
        "favicon": f"img/job-{status_shape(row)}.svg",
        **_steps(row, events, got["graph"], view),
        "attempt": attempt,
        "attempts": tries,
        "attempt_groups": history.grouped(tries),
        "attempts_with_log": _with_log(tries, attempt),
        "history": history.history(events, row["created_by"] or "the system"),
        "last_seq": events[-1]["seq"] if events else 0,
        "events_cut": formatting.number(events[0]["seq"] - 1)
        if events and events[0]["seq"] > 1
        else "",
        "artifacts": got["artifacts"]["results"],
        "artifacts_more": got["artifacts"]["next"],
        "outputs": outputs,
        "figures": result.figures(row),
        "curves": metric_plot.curves(events, attempt),
        "usage": usage,
        "memory_is_evidence": starved and bool(usage and usage["plot"]),
        "subject": result.subject(row, outputs),
        "reads": result.input_rows(row),
        "request_rows": result.request_rows(row),
        "cancels_at_once": row["status"] == "queued",
        "change_url": f"/{project_path(row['project'], 'jobs', 'new')}?{urlencode({'from': row['id']})}",
    }


def _steps(row: Job, events: list[Event], graph: Context, view: str) -> Context:
    """Progress of each step, for the table and the graph."""
    steps = history.steps_of(events, row, [node["id"] for node in graph["nodes"]])
    uses = {node["id"]: node["uses"] for node in graph["nodes"]}
    for step in steps:
        step["uses"] = step["uses"] or uses.get(step["id"], "")
    steps_as = _steps_as(view, len(steps))
    return {
        "steps": steps,
        "steps_text": _steps_text(steps),
        "steps_as": steps_as,
        "drawing": _drawing(graph, steps) if steps_as == "graph" else None,
        "may_draw": len(graph["nodes"]) in range(2, graph_layout.DRAWN_MAX + 1),
    }


def _chosen(
    request: HttpRequest, row: Job, steps: list[Context], definition: Any
) -> Context | None:
    """Step of `?step=` with its definition and log lines; None without one."""
    step = next((one for one in steps if one["id"] == request.GET.get("step")), None)
    if step is None:
        return None
    lines: Context = {"lines": [], "more": False}
    if step["started_at"]:
        at = (step["started_at"], step["ended_at"])
        lines = together(
            request,
            lines=optional(partial(step_log.lines_between, row["id"], row["attempt"], *at), lines),
        )["lines"]
    return {**step_view.shown(row, step, definition), "log": lines}


def _requested_attempt(request: HttpRequest, row: Job) -> int:
    given = request.GET.get("attempt", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0
    if 1 <= number <= row["attempt"]:
        return number
    between = row["status"] == "queued" and row["attempt"] > 1  # the next attempt has no worker yet
    return int(row["attempt"]) - 1 if between else int(row["attempt"])


def _events(job_id: str, client: Api) -> Context:
    """Fetch all events; of very many the newest, which show the current state."""
    params = {"after": -EVENT_PAGES_MAX * EVENT_PAGE, "limit": EVENT_PAGE}
    return _all(client, job_path(job_id, "events"), params, pages=EVENT_PAGES_MAX)


def _attempts(job_id: str, client: Api) -> Context:
    """Fetch all attempts up to a limit: a job that waits for capacity is launched repeatedly."""
    return _all(
        client, job_path(job_id, "attempts"), {"limit": ATTEMPT_PAGE}, pages=ATTEMPT_PAGES_MAX
    )


def _all(client: Api, path: str, params: dict[str, int], *, pages: int) -> Context:
    found = client.get(path, params)
    rows = list(found["results"])
    while found["next"] and (pages := pages - 1):
        found = client.get(found["next"])
        rows += found["results"]
    return {"results": rows}


def _with_log(tries: list[Context], attempt: int) -> list[Context]:
    """Attempts whose logs can be chosen: the newest that ran, and the shown one."""
    ran = [one for one in tries if one["current"] or one["claimed_at"] or one["number"] == attempt]
    return [one for one in ran[:-LOGS_OFFERED] if one["number"] == attempt] + ran[-LOGS_OFFERED:]


def _tail(row: Job, client: Api) -> Context:
    """End of a failed job's log; empty for other jobs or if it cannot be read."""
    if row["status"] != "failed":
        return {"lines": []}
    tail: Context = optional(
        lambda caller: log_tail(caller, row["id"], row["attempt"]), {"lines": []}
    )(client)
    return tail


def _graph(row: Job, client: Api) -> Context:
    """Graph of the job's pipeline version: {"nodes", "edges"}; empty without one."""
    nothing: Context = {"nodes": [], "edges": []}
    source = next((one for one in row["inputs"] if one.get("kind") == "pipeline"), None)
    if source is None:
        return nothing
    key = (str(row["project"]), str(source["pipeline"]), int(source["version"]))
    if key not in _graphs:
        try:
            definition = pipeline_definition(client, *key)
            found = nothing
            if definition:
                checked = client.post(
                    project_path(key[0], "pipelines", "validate"), {"definition": definition}
                )
                found = {**checked["graph"], "definition": definition}
        except ApiError as error:
            if error.status >= 500 or error.status == 401:
                raise
            return nothing
        if len(_graphs) >= _GRAPHS_KEPT:
            _graphs.pop(next(iter(_graphs)), None)
        _graphs[key] = found
    return _graphs[key]


def pipeline_definition(client: Api, slug: str, name: str, number: int) -> Any:
    """Definition of one version; None if it does not exist.

    Versions come newest first, by page.
    """
    found = client.get(project_path(slug, "pipelines", name), {"limit": 200})
    while True:
        for version in found["versions"]:
            if version["number"] == number:
                return version["definition"]
        if not found.get("next"):
            return None
        found = client.get(found["next"])


def _launching_since(row: Job, events: list[Event]) -> str:
    """Time when the starting attempt was admitted; empty in every other state."""
    if row["status"] != "launching":
        return ""
    return next(
        (str(event["at"]) for event in reversed(events) if event["kind"] == "job.admitted"), ""
    )


def _steps_as(view: str, count: int) -> str:
    """Requested view; by default a graph, or a table for many steps."""
    return (
        view
        if view in ("graph", "table")
        else "table"
        if count > graph_layout.NODES_MAX
        else "graph"
    )


def _drawing(graph: Context, steps: list[Context]) -> Context | None:
    drawn = graph_layout.draw(graph["nodes"], graph["edges"], graph_layout.DRAWN_MAX)
    if drawn is None:
        return None
    states = {step["id"]: step for step in steps}
    return {
        "width": drawn.width,
        "height": drawn.height,
        "nodes": [
            {
                "x": node.x,
                "y": node.y,
                "step": states[node.id],
                "line": history.step_line(states[node.id]) or node.uses,
            }
            for node in drawn.nodes
        ],
        "edges": [
            {"path": path, "todo": states[end]["status"] in ("queued", "skipped")}
            for _, end, path in drawn.edges
        ],
    }


def _steps_text(steps: list[Context]) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step["status"]] = counts.get(step["status"], 0) + 1
    labels = {
        "succeeded": "done",
        "running": "running",
        "failed": "failed",
        "queued": "to come",
        "skipped": "skipped",
        "cancelled": "stopped",
    }
    return ", ".join(
        f"{counts[status]} {word}" for status, word in labels.items() if status in counts
    )


def _diagnosis(row: Job) -> Context | None:
    """Add an address to each next step.

    An empty patch runs the job again, a patch opens the form, null leads to the pipeline or form to
    change.
    """
    found = row["diagnosis"]
    if not isinstance(found, dict):
        return None
    pipeline = (row["parameters"] or {}).get("pipeline")
    form = f"/{project_path(row['project'], 'jobs', 'new')}"
    steps = []
    for step in found.get("next_steps") or []:
        patch = step.get("patch")
        if patch is None and step["label"].startswith(NOTHING_TO_DO):
            continue
        url = ""
        if patch:
            url = f"{form}?{urlencode({'from': row['id'], 'patch': json.dumps(patch)})}"
        elif patch is None and _by_hand(found, pipeline) != "administrator":
            url = (
                f"/{project_path(row['project'], 'pipelines', pipeline)}"
                if isinstance(pipeline, str)
                else f"{form}?{urlencode({'from': row['id']})}"
            )
        by_hand = _by_hand(found, pipeline) if patch is None else ""
        steps.append({"label": step["label"], "retry": patch == {}, "url": url, "by_hand": by_hand})
    return {**found, "next_steps": steps}


def _by_hand(diagnosis: Diagnosis, pipeline: object) -> str:
    """Where a person makes the change: pipeline, form, or outside of both (administrator)."""
    if diagnosis.get("category") not in CHANGED_BY_PEOPLE:
        return "administrator"
    return "pipeline" if isinstance(pipeline, str) else "form"


def _usage(found: UsageSeries, peak_bytes: int | None, *, wide: bool) -> Context | None:
    """Present the memory plot with its numbers.

    `peak_bytes`: peak that the worker measured between two samples.
    """
    points = found["results"]
    if not points:
        return None
    start = points[0]["at"]
    curve = [
        (formatting.seconds_between(start, point["at"]) or 0.0, point["memory_bytes"])
        for point in points
    ]
    peak = max([value for _, value in curve] + [peak_bytes or 0])
    limit = found["limit_bytes"]
    return {
        "plot": graph_layout.plot(curve, limit, width=460)
        if wide
        else graph_layout.plot(curve, limit),
        "now": points[-1]["memory_bytes"],
        "peak": peak,
        "limit": limit,
        "cpu": points[-1]["cpu_millicores"] / 1000,
        "start": start,
        "end": points[-1]["at"],
    }


@require_POST
@signed_in
def cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """Request cancellation. A job that ended meanwhile shows its result."""
    try:
        api(request).post(job_path(job_id, "cancel"))
    except ApiError as error:
        if error.status != 409:
            raise
    return HttpResponseRedirect(f"/{job_path(job_id)}")


@require_POST
@signed_in
def retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Submit the same request as a new job.

    A second click with the same key returns the same job.
    """
    key = request.POST.get("key", "")[:100] or str(uuid.uuid4())
    created = api(request).post(
        job_path(job_id, "retry"),
        headers={
            "Idempotency-Key": key if key.isprintable() and key.isascii() else str(uuid.uuid4())
        },
    )
    return HttpResponseRedirect(f"/{job_path(created['id'])}")


@require_POST
@signed_in
def dismiss(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Hide a failure from the user's "Needs attention" list and return to the project's home."""
    row = api(request).get(job_path(job_id))
    try:
        api(request).put(job_path(job_id, "dismissal"))
    except ApiError as error:
        if error.status != 409:  # the job did not fail: nothing to hide
            raise
    return HttpResponseRedirect(f"/{project_path(row['project'])}")
