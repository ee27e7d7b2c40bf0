"""Present the state of the installation: capacity, components, limits, failures. Pure."""

from mimir.frontend import formatting
from mimir.frontend.api_types.system_shapes import (
    ClusterCapacity,
    Component,
    LimitInForce,
    RunningWorker,
    Storage,
    SystemState,
)
from mimir.frontend.job_types import type_icon, type_title
from mimir.frontend.template_context import Context

BAR_WIDTH = 132  # in SVG pixels

PARTS = {
    "web": "Web",
    "frontend": "Frontend",
    "dispatcher": "Dispatcher",
    "reconciler": "Reconciler",
    "database": "PostgreSQL",
    "redis": "Valkey",
    "storage": "Artifact storage",
}
STATES = {"alive": ("succeeded", "healthy"), "late": ("warn", "late"), "away": ("failed", "down")}
SCOPES = {"global": "All jobs", "type": "Type", "project": "Project"}


def page_context(system: SystemState) -> Context:
    """Build the page's context from `GET /api/v1/system/`."""
    headline = system["headline"]
    workers = [_worker(row) for row in system["workers"]]
    queues = [{**row, "word": str(row["priority"])} for row in system["queues"]]
    return {
        "headline": headline,
        "healthy": headline["level"] == "ok",
        "queues": queues,
        "waiting": sum(row["length"] for row in queues),
        "workers": workers,
        "workers_total": system["workers_total"],
        "workers_cut": max(system["workers_total"] - len(workers), 0),
        "capacity": [_cluster(row) for row in system["capacity"]],
        "failures": [{**row, "word": _reason_text(row["reason"])} for row in system["failures"]],
        "failures_total": sum(row["count"] for row in system["failures"]),
        "parts": [_part(row) for row in system["components"]],
        "limits": [_limit(row) for row in system["limits"]],
        "storage": system["storage"],
        "storage_bar": bar(_used(system["storage"]), system["storage"].get("artifact_total_bytes")),
        "versions": system["versions"],
        "version_list": list(system["versions"].items()),
        "lag_seconds": system["reconcile"]["lag_seconds"],
    }


def bar(used: float | None, most: float | None) -> Context | None:
    """Draw usage against a limit; None if one of them is unknown."""
    if used is None or not most:
        return None
    share = used / most
    return {
        "width": BAR_WIDTH,
        "filled": round(min(max(share, 0), 1) * BAR_WIDTH, 1),
        "percent": round(share * 100),
        "tone": "failed" if share >= 0.95 else "warn" if share >= 0.85 else "run",
    }


def _worker(row: RunningWorker) -> Context:
    """Present a running worker with usage against its limits."""
    kind = type_title(row["type"])
    return {
        **row,
        "icon": type_icon(row["type"]),
        "title": row["name"] or f"{kind} {formatting.short_id(row['job'])}",
        "memory_bar": bar(row["memory_bytes"], row["memory_limit_bytes"]),
        "cpu_bar": bar(row["cpu_millicores"], row["cpu_limit_millicores"]),
        "cpu": formatting.cores(row["cpu_millicores"]),
        "cpu_limit": formatting.cores(row["cpu_limit_millicores"]),
    }


def _cluster(row: ClusterCapacity) -> Context:
    """Present a cluster's capacity: requested by jobs, and total."""
    capacity = [
        (
            "Jobs",
            _counted(row["used_jobs"]),
            _counted(row["jobs"]),
            bar(row["used_jobs"], row["jobs"]),
        ),
        (
            "CPU",
            formatting.cores(row["used_cpu_millicores"]),
            formatting.cores(row["cpu_millicores"]),
            bar(row["used_cpu_millicores"], row["cpu_millicores"]),
        ),
        (
            "Memory",
            formatting.memory(row["used_memory_bytes"]),
            formatting.memory(row["memory_bytes"]),
            bar(row["used_memory_bytes"], row["memory_bytes"]),
        ),
    ]
    if row["gpus"]:
        capacity.append(
            (
                "GPUs",
                _counted(row["used_gpus"]),
                _counted(row["gpus"]),
                bar(row["used_gpus"], row["gpus"]),
            )
        )
    if row["starting"]:
        capacity.append(
            (
                "Starting now",
                _counted(row["starting"]),
                _counted(row["start_window"]),
                None,  # no bar: a full start window needs no attention
            )
        )
    return {
        **row,
        "capacity_rows": [
            {"word": word, "used": used, "most": most, "bar": bar}
            for word, used, most, bar in capacity
        ],
    }


def _part(row: Component) -> Context:
    """Present a component and its last heartbeat."""
    shape, word = STATES.get(row["state"], ("warn", str(row["state"])))
    return {
        **row,
        "title": PARTS.get(row["component"], str(row["component"]).capitalize()),
        "shape": shape,
        "word": word,
    }


def _limit(row: LimitInForce) -> Context:
    """Present a limit of concurrent jobs."""
    scope, key = row["scope"], str(row["key"] or "")
    name = type_title(key) if scope == "type" else key
    return {
        **row,
        "word": f"{SCOPES.get(scope, scope)} {name}".strip()
        if scope != "type"
        else f"{name or 'Each type'} jobs",
    }


def _reason_text(reason: str) -> str:
    """Readable failure reason: out_of_memory is "Out of memory"."""
    return reason.replace("_", " ").capitalize()


def _used(storage: Storage) -> int | None:
    total, free = storage.get("artifact_total_bytes"), storage.get("artifact_free_bytes")
    return None if total is None or free is None else total - free


def _counted(value: int | None) -> str:
    return "" if value is None else formatting.number(value)
