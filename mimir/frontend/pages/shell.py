"""Page shell: navigation context, parallel API calls, paths of the API."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mimir.frontend.api_client import Api, ApiError, Unavailable, api
from mimir.frontend.api_types.project_shapes import ProjectDetail
from mimir.frontend.template_context import Context

_AT_ONCE = 24  # threads for parallel API calls, shared by all pages of this process
_pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="page")

RANKS = {"viewer": 0, "operator": 1, "maintainer": 2}


def together(request: HttpRequest, **calls: Callable[[Api], Any]) -> Context:
    """Run the calls in parallel and return their answers by name.

    Raises: the error of the first call that failed.
    """
    client = api(request)
    waiting = {name: _pool.submit(copy_context().run, call, client) for name, call in calls.items()}
    return {name: future.result() for name, future in waiting.items()}


def optional(call: Callable[[Api], Any], default: Mapping[str, object]) -> Callable[[Api], Any]:
    """Return a call that yields `default` on an API error: only a part of the page is missing.

    Raises: Unavailable, SignedOut.
    """

    def guarded(client: Api) -> Any:
        try:
            return call(client)
        except Unavailable:
            raise
        except ApiError as error:
            if error.status == 401:
                raise
            return dict(default)

    return guarded


def project_path(slug: str, *parts: str) -> str:
    """API path below one project. Every part is quoted and cannot change the path."""
    return (
        "/".join(["projects", quote(slug, safe=""), *(quote(part, safe="") for part in parts)])
        + "/"
    )


def job_path(job_id: object, *parts: str) -> str:
    """API path below one job."""
    return "/".join(["jobs", str(job_id), *parts]) + "/"


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object],
    *,
    project: ProjectDetail | None = None,
    here: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render a page in the shell.

    `project` fills the navigation, `here` is the name of the current navigation entry.
    """
    shell = {
        "project": project,
        "here": here,
        "may_run": may_run(project),
        "may_edit": _rank(project) >= RANKS["maintainer"] and not _is_archived(project),
        "may_manage": _rank(project) >= RANKS["maintainer"],
        "initials": "".join(word[0] for word in str(project["name"]).split()[:2]).upper()
        if project
        else "",
    }
    return render(request, template, {**shell, **context}, status=status)


def may_run(project: ProjectDetail | None) -> bool:
    """Whether the caller can submit jobs to the project."""
    return _rank(project) >= RANKS["operator"] and not _is_archived(project)


def _rank(project: ProjectDetail | None) -> int:
    return RANKS.get(str(project["role"]), 0) if project else -1


def _is_archived(project: ProjectDetail | None) -> bool:
    return project is not None and project["status"] == "archived"


def cursor_of(following: object) -> str:
    """Return the cursor of an API's `next` path; empty without a next page."""
    if not isinstance(following, str):
        return ""
    return parse_qs(urlsplit(following).query).get("cursor", [""])[0]
