"""Present one job's page: step graph, diagnosis with addresses, memory plot. Pure."""

import json
from urllib.parse import urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Event, Job, UsageSeries
from mimir.frontend.pages.job import history
from mimir.frontend.pages.pipelines import graph_layout
from mimir.frontend.pages.shell import project_path
from mimir.frontend.template_context import Context

LOGS_OFFERED = 12


def steps_view(view: str, count: int) -> str:
    """Requested view; by default a graph, or a table for many steps."""
    return (
        view
        if view in ("graph", "table")
        else "table"
        if count > graph_layout.NODES_MAX
        else "graph"
    )


def step_drawing(graph: Context, steps: list[Context]) -> Context | None:
    """Draw the graph with the state of each step; None if it cannot be drawn."""
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


def steps_text(steps: list[Context]) -> str:
    """Number of steps by status, as text."""
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


def diagnosis_of(row: Job) -> Context | None:
    """Return the diagnosis with a URL for each next step.

    An empty patch sets `retry`: run the job again, without a URL. For any other patch the URL opens
    the form with the change; without a patch, the pipeline or the form for the user to change. A
    step of an administrator has no URL, and a step of nobody is omitted.
    """
    found = row["diagnosis"]
    if not isinstance(found, dict):
        return None
    pipeline = (row["parameters"] or {}).get("pipeline")
    form = f"/{project_path(row['project'], 'jobs', 'new')}"
    steps = []
    for step in found.get("next_steps") or []:
        patch, actor = step.get("patch"), step.get("actor", "user")
        if actor == "nobody":
            continue
        by_hand = _by_hand(actor, pipeline) if patch is None else ""
        url = ""
        if patch:
            url = f"{form}?{urlencode({'from': row['id'], 'patch': json.dumps(patch)})}"
        elif by_hand == "pipeline":
            url = f"/{project_path(row['project'], 'pipelines', str(pipeline))}"
        elif by_hand == "form":
            url = f"{form}?{urlencode({'from': row['id']})}"
        steps.append({"label": step["label"], "retry": patch == {}, "url": url, "by_hand": by_hand})
    return {**found, "next_steps": steps}


def _by_hand(actor: str, pipeline: object) -> str:
    """Return where a step without a patch is done: pipeline, form, or by an administrator."""
    if actor != "user":
        return "administrator"
    return "pipeline" if isinstance(pipeline, str) else "form"


def usage_of(found: UsageSeries, peak_bytes: int | None, *, wide: bool) -> Context | None:
    """Present the memory plot with its numbers; None without samples.

    `peak_bytes`: peak that the worker reported; it can lie between two samples.
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


def attempts_with_log(tries: list[Context], attempt: int) -> list[Context]:
    """Attempts whose logs can be chosen: the newest that ran, and the shown one."""
    ran = [one for one in tries if one["current"] or one["claimed_at"] or one["number"] == attempt]
    return [one for one in ran[:-LOGS_OFFERED] if one["number"] == attempt] + ran[-LOGS_OFFERED:]


def launching_since(row: Job, events: list[Event]) -> str:
    """Return the time when the starting attempt was admitted; empty unless the job is launching."""
    if row["status"] != "launching":
        return ""
    return next(
        (str(event["at"]) for event in reversed(events) if event["kind"] == "job.admitted"), ""
    )
