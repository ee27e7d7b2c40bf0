"""What every page needs: its place in the navigation, calls to the API side by side, and the place a form came from."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mimir.frontend.client import Api, ApiError, Unavailable, api

_AT_ONCE = 24  # threads for calls side by side, all pages of this process together
_pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="page")

RANKS = {"viewer": 0, "operator": 1, "maintainer": 2}


def together(request: HttpRequest, **calls: Callable[[Api], Any]) -> dict[str, Any]:
    """Every call's answer by name, made at the same time. Raises: what the first failing call raised."""
    client = api(request)
    waiting = {name: _pool.submit(copy_context().run, call, client) for name, call in calls.items()}
    return {name: future.result() for name, future in waiting.items()}


def optional(
    call: Callable[[Api], dict[str, Any]], default: Mapping[str, Any]
) -> Callable[[Api], dict[str, Any]]:
    """A call whose failure leaves a part of the page out, not the page: the orchestrator is there, but this thing is not."""

    def guarded(client: Api) -> dict[str, Any]:
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
    """A path of the API below one project; every part is quoted, so that a name cannot lead elsewhere."""
    return (
        "/".join(["projects", quote(slug, safe=""), *(quote(part, safe="") for part in parts)])
        + "/"
    )


def job_path(job_id: object, *parts: str) -> str:
    """A path of the API below one job."""
    return "/".join(["jobs", str(job_id), *parts]) + "/"


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    project: Mapping[str, Any] | None = None,
    here: str = "",
    status: int = 200,
) -> HttpResponse:
    """A page in the shell. `project` fills the navigation, `here` names its current entry."""
    rank = RANKS.get(str(project["role"]), 0) if project else -1
    archived = bool(project) and project["status"] == "archived" if project else False
    shell = {
        "project": project,
        "here": here,
        "may_run": rank >= RANKS["operator"] and not archived,
        "may_edit": rank >= RANKS["maintainer"] and not archived,
        "may_manage": rank >= RANKS["maintainer"],
        "initials": "".join(word[0] for word in str(project["name"]).split()[:2]).upper()
        if project
        else "",
    }
    return render(request, template, {**shell, **context}, status=status)


def cursor_of(following: object) -> str:
    """The cursor in an API's `next` path, for our own link; empty when there is no next page."""
    if not isinstance(following, str):
        return ""
    return parse_qs(urlsplit(following).query).get("cursor", [""])[0]
