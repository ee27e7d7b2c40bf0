"""Requests of the scale benchmark: each GET route of the URL configuration, and the reason for each
route that is not measured.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mimir.dev.paths import ROOT

_FOUND = (
    "import django, json; django.setup(); from tests.api.access_rules import found_routes; "
    "print(json.dumps(sorted(found_routes())))"
)
_QUERIES: dict[str, Sequence[str]] = {
    "api/v1/projects/<str:slug>/jobs/": (
        "",
        "?limit=200",
        "?status=queued&limit=20",
        "?status=failed",
        "?q=nothing-has-this-name",
    ),
    "api/v1/projects/<str:slug>/lineage/": ("?of=dataset:numbers@1",),
    "api/v1/projects/<str:slug>/recommendation/": ("?type=pipeline_execution&name=echo",),
    "api/v1/jobs/<uuid:job_id>/logs/search/": ("?q=x",),
}
# By the beginning of a route; the longest that fits.
_NOT_MEASURED = {
    "api/docs/": "a page",
    "api/schema/": "does not depend on data",
    "worker/": "measured as calls of workers, where a job without output has them",
    "api/v1/projects/<str:slug>/models/<str:name>/": "no job trains a model",
    "api/v1/projects/<str:slug>/twins/<str:name>/revisions/<": "no job updates a twin",
    "api/v1/projects/<str:slug>/twins/<str:name>/entity/": "no job updates a twin",
    "api/v1/projects/<str:slug>/twins/<str:name>/entities/<": "no job updates a twin",
    "api/v1/projects/<str:slug>/uploads/<": "no upload waits for a decision",
    "api/v1/jobs/<uuid:job_id>/artifacts/<": "no job has an artifact",
    "api/v1/jobs/<uuid:job_id>/last-success/": "only of a failed job",
}
_PLACES = {
    "<str:slug>": "scale",
    "<str:number>": "latest",
    "<str:type>": "thing",
}
_NAMES = {"datasets": "numbers", "pipelines": "echo", "twins": "town", "clusters": "local"}


class Routes(NamedTuple):
    """`measured`: paths by the name in the figures, with `{job}` and `{other}` for ids of jobs.

    `others`: the reason by method and route.
    """

    measured: dict[str, str]
    others: dict[str, str]


def routes(environment: Mapping[str, str], *, values: Mapping[str, str]) -> Routes:
    """Return the routes of the orchestrator with this environment.

    `values`: by place in a route, such as `<str:username>`.
    """
    found = subprocess.run(
        [sys.executable, "-c", _FOUND],
        env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator"},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    measured, others = {}, {}
    for route, method in json.loads(found.stdout):
        reason = _reason(route, method)
        if reason:
            others[f"{method} {route}"] = reason
            continue
        for query in _QUERIES.get(route, ("",)):
            measured[f"GET /{route}{query}"] = f"/{_path(route, values)}{query}"
    return Routes(measured, others)


def _reason(route: str, method: str) -> str:
    """Return why a route is not measured; empty if it is."""
    fitting = [start for start in _NOT_MEASURED if route.startswith(start)]
    if fitting:
        return _NOT_MEASURED[max(fitting, key=len)]
    if f"{method} {route}" in ("POST api/v1/projects/<str:slug>/jobs/", _CANCEL):
        return "measured in another project: POST submit, POST cancel"
    return "" if method == "GET" else "changes data"


_CANCEL = "POST api/v1/jobs/<uuid:job_id>/cancel/"


def _path(route: str, values: Mapping[str, str]) -> str:
    for place, value in {**_PLACES, **values}.items():
        route = route.replace(place, value)
    parts = route.split("/")
    for index, part in enumerate(parts):
        if part == "<str:name>":
            parts[index] = _NAMES[parts[index - 1]]
    if "<" in "/".join(parts):
        raise ValueError(f"no value for a place in {route}: add one, or a reason in _NOT_MEASURED")
    return "/".join(parts)
