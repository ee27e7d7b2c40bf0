"""Cost of API requests, compared with the cheapest request of the same server."""

import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import closing

import httpx

from tests.support.signin import sign_in
from tests.support.stack import Stack

PAIRS, JOBS = 31, 500
ECHO = {"steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "hello"]}}]}
BODY = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}


def measure(stack: Stack) -> None:
    """Print medians of interleaved pairs, and their ratio."""
    project = stack.project(f"bench{uuid.uuid4().hex[:8]}")
    jobs = f"/api/v1/projects/{project}/jobs/"
    ended = _jobs(stack, project, jobs)
    print(
        f"\nmedians of {PAIRS} interleaved pairs with /health of the same server, {JOBS} jobs in "
        "the project"
    )
    print(f"  {'milliseconds':<52}{'it':>9}{'/health':>9}{'ratio':>9}")
    api = httpx.Client(
        base_url=stack.described["orchestrator_url"],
        headers=stack.client.headers,
        timeout=60,
        trust_env=False,
    )
    api.headers.pop("Host")
    with api, closing(sign_in(stack)) as person:
        _pairs("API: one job", api, lambda: _get(api, f"/api/v1/jobs/{ended}/"))
        _pairs("API: 50 of the jobs", api, lambda: _get(api, jobs))
        _pairs(f"API: all {JOBS} jobs, 200 a page", api, lambda: _all(api, f"{jobs}?limit=200"))
        _pairs("page: the jobs", person, lambda: _get(person, f"/projects/{project}/jobs/"))
        _pairs("page: one job", person, lambda: _get(person, f"/jobs/{ended}/"))
        _pairs("API: POST a job", api, lambda: api.post(jobs, json=BODY).raise_for_status())


def _jobs(stack: Stack, project: str, jobs: str) -> str:
    """Create a paused project with 500 jobs; return the id of the one that ran.

    Paused, to measure the request and not the worker it would start.
    """
    stack.call(
        "POST", f"/api/v1/projects/{project}/pipelines/", json={"name": "echo", "definition": ECHO}
    ).raise_for_status()
    ran = str(stack.call("POST", jobs, json=BODY).json()["id"])
    stack.end_of(ran)
    stack.call(
        "PATCH", "/api/v1/limits/", json={"scope": "project", "key": project, "paused": True}
    ).raise_for_status()
    for _ in range(JOBS - 1):
        stack.call("POST", jobs, json=BODY).raise_for_status()
    return ran


def _pairs(name: str, client: httpx.Client, ask: Callable[[], object]) -> None:
    its, floors = [], []
    for _ in range(PAIRS):
        its.append(_seconds(ask))
        floors.append(_seconds(lambda: _get(client, "/health")))
    it, floor = statistics.median(its), statistics.median(floors)
    print(f"  {name:<52}{it * 1000:9.1f}{floor * 1000:9.1f}{it / floor:9.1f}", flush=True)


def _seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path).raise_for_status()


def _all(client: httpx.Client, path: str | None) -> None:
    while path:
        path = _get(client, path).json()["next"]
