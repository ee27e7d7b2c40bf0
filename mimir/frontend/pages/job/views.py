"""One job: status and reason, steps, log, results."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET

from mimir.frontend import formatting
from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.api_types.job_shapes import Event, Job, UsageSeries
from mimir.frontend.memory_advice import memory_advice, source_text
from mimir.frontend.pages.job import history, metric_plot, present, result, step_log, step_view
from mimir.frontend.pages.job.comparison_table import compare_url
from mimir.frontend.pages.job.log_tail import log_tail
from mimir.frontend.pages.job.time_bar import time_spent
from mimir.frontend.pages.jobs.present import (
    ENDED,
    empty_log,
    job_summary,
    status_shape,
)
from mimir.frontend.pages.pipelines import graph_layout
from mimir.frontend.pages.shell import RANKS, job_path, optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

EVENT_PAGES_MAX, EVENT_PAGE = 5, 1000
ATTEMPT_PAGES_MAX, ATTEMPT_PAGE = 5, 200
_GRAPHS_KEPT = 256
_graphs: dict[
    tuple[str, str, int], Context
] = {}  # graphs of pipeline versions, which are immutable


@require_GET
@signed_in
def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """`/jobs/<id>/?attempt=&steps=graph|table`.

    After a WebSocket message, the script fetches the page again and replaces the parts that differ.
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
            {"results": [], "limit_bytes": None, "recommendation": None},
        ),
        time=optional(lambda client: client.get(job_path(job_id, "time")), {}),
        earlier=_earlier_success(row),
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
    diagnosis = present.diagnosis_of(row)
    tries = history.attempts(got["attempts"]["results"], row)
    shown = next((one for one in tries if one["number"] == attempt), None)
    outputs = result.outputs(row)
    form = f"/{project_path(row['project'], 'jobs', 'new')}"
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
        "log_state": empty_log(row),
        "launching_since": present.launching_since(row, events),
        "favicon": f"img/job-{status_shape(row)}.svg",
        **_steps(row, events, got["graph"], view),
        "attempt": attempt,
        "attempts": tries,
        "attempt_counts": history.attempt_counts(tries, row),
        "attempt_groups": history.grouped(tries),
        "attempts_with_log": present.attempts_with_log(tries, attempt),
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
        **_memory(row, got["usage"], shown, form),
        "time_spent": time_spent(got["time"]),
        "compare_url": _compare_url(row, got["earlier"]["job"]),
        "subject": result.subject(row, outputs),
        **_request(row),
        "cancels_at_once": row["status"] == "queued",
        "change_url": f"{form}?{urlencode({'from': row['id']})}",
    }


def _memory(row: Job, series: UsageSeries, shown: Context | None, form: str) -> Context:
    """Present the measured memory of the shown attempt, and the advice for the next run."""
    starved = row["status"] == "failed" and row["reason"] == "out_of_memory"
    reported = shown["peak_memory_bytes"] if shown else None
    usage = present.usage_of(series, reported, wide=starved)
    peak = usage["peak"] if usage else reported
    is_latest = shown is not None and shown["number"] == row["attempt"]
    return {
        "usage": usage,
        "memory_peak": peak,
        "memory_advice": memory_advice(row, series, peak, form) if peak and is_latest else None,
        "memory_is_evidence": starved and bool(usage and usage["plot"]),
    }


def _request(row: Job) -> Context:
    """Present the request: inputs, parameters and the source of the limits."""
    return {
        "reads": result.input_rows(row),
        "request_rows": result.request_rows(row),
        "resources_source": source_text(row["resources"].get("recommended")),
    }


def _steps(row: Job, events: list[Event], graph: Context, view: str) -> Context:
    """Progress of each step, for the table and the graph."""
    steps = history.steps_of(events, row, [node["id"] for node in graph["nodes"]])
    uses = {node["id"]: node["uses"] for node in graph["nodes"]}
    for step in steps:
        step["uses"] = step["uses"] or uses.get(step["id"], "")
    steps_as = present.steps_view(view, len(steps))
    return {
        "steps": steps,
        "steps_text": present.steps_text(steps),
        "steps_as": steps_as,
        "drawing": present.step_drawing(graph, steps) if steps_as == "graph" else None,
        "may_draw": len(graph["nodes"]) in range(2, graph_layout.DRAWN_MAX + 1),
    }


def _chosen(
    request: HttpRequest, row: Job, steps: list[Context], definition: object
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
    """Fetch the events. If there are too many, fetch the newest, which show the current state."""
    params = {"after": -EVENT_PAGES_MAX * EVENT_PAGE, "limit": EVENT_PAGE}
    return _all(client, job_path(job_id, "events"), params, pages=EVENT_PAGES_MAX)


def _attempts(job_id: str, client: Api) -> Context:
    """Fetch the attempts up to a limit: a job that waits for capacity is launched repeatedly."""
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


def _earlier_success(row: Job) -> Callable[[Api], Any]:
    """Return a call that fetches the successful run to compare an ended job with."""
    nothing: Context = {"job": None}
    if row["status"] not in ENDED:
        return lambda client: nothing
    return optional(lambda client: client.get(job_path(row["id"], "last-success")), nothing)


def _compare_url(row: Job, earlier: Job | None) -> str:
    return compare_url(row["project"], earlier["id"], row["id"]) if earlier else ""


def _tail(row: Job, client: Api) -> Context:
    """End of a failed job's log; empty for other jobs or if it cannot be read."""
    if row["status"] != "failed":
        return {"lines": []}
    tail: Context = optional(
        lambda caller: log_tail(caller, row["id"], row["attempt"]), {"lines": []}
    )(client)
    return tail


def _graph(row: Job, client: Api) -> Context:
    """Graph of the job's pipeline version: {"nodes", "edges", "definition"}; empty without one."""
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
