"""List of jobs of a project that has 100,000, compared with one that has 1,000 in the same
installation.
"""

import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial

import httpx
import psutil

from mimir.dev.paths import MARKER, ROOT
from tests.support.signin import sign_in
from tests.support.stack import Stack

PAIRS, FEW, MANY = 31, 1_000, 100_000
RATIO_WANTED = 1.5
ECHO = {"steps": [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "hello"]}}]}
BODY = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
QUERIES = {
    "all": "",
    "status failed": "?status=failed",
    "type ml_training": "?type=ml_training",
    "q nightly, in half of the names": "?q=nightly",
    "q nowhere, in none": "?q=nowhere",
    "label team, of a quarter": "?label=team",
    "200 a page": "?limit=200",
}
FILL = (
    "import django, sys; django.setup(); from jobs.models import Job; from tests.support.many "
    "import jobs_like; "
)
FILL += "jobs_like(Job.objects.get(id=sys.argv[1]), int(sys.argv[2]))"


def measure(stack: Stack) -> None:
    """Print medians of interleaved pairs, and their ratio."""
    few, many = (_filled(stack, count) for count in (FEW, MANY))
    print(
        f"\nmedians of {PAIRS} interleaved pairs of a project with {MANY:,} jobs and one with "
        f"{FEW:,}; at most {RATIO_WANTED} is wanted"
    )
    print(f"  {'milliseconds':<52}{MANY:9,}{FEW:9,}{'ratio':>9}")
    api = httpx.Client(
        base_url=stack.described["orchestrator_url"],
        headers=stack.client.headers,
        timeout=60,
        trust_env=False,
    )
    api.headers.pop("Host")
    with api, closing(sign_in(stack)) as person:
        for name, query in QUERIES.items():
            _pairs(
                f"API: jobs, {name}",
                partial(_jobs_page, api, query),
                many,
                few,
            )
        _pairs(
            "API: summary",
            lambda project: _get(api, f"/api/v1/projects/{project}/summary/"),
            many,
            few,
        )
        _pairs(
            "page: the jobs", lambda project: _get(person, f"/projects/{project}/jobs/"), many, few
        )


def _jobs_page(api: httpx.Client, query: str, project: str) -> None:
    _get(api, f"/api/v1/projects/{project}/jobs/{query}")


def _filled(stack: Stack, count: int) -> str:
    """Create a paused project with a waiting job and `count` ended jobs."""
    project = stack.project(f"list{uuid.uuid4().hex[:8]}")
    stack.call(
        "POST", f"/api/v1/projects/{project}/pipelines/", json={"name": "echo", "definition": ECHO}
    ).raise_for_status()
    stack.call(
        "PATCH", "/api/v1/limits/", json={"scope": "project", "key": project, "paused": True}
    ).raise_for_status()
    job = (
        stack.call("POST", f"/api/v1/projects/{project}/jobs/", json=BODY)
        .raise_for_status()
        .json()["id"]
    )
    environment = {
        **orchestrator_environment(stack),
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    subprocess.run(
        [sys.executable, "-c", FILL, job, str(count)], env=environment, cwd=ROOT, check=True
    )
    return project


def orchestrator_environment(stack: Stack) -> dict[str, str]:
    """Return the environment of an orchestrator process, which has the database URL."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if (
            environment.get(MARKER) == str(stack.var)
            and "DATABASE_URL" in environment
            and process.pid != os.getpid()
        ):
            return environment
    raise RuntimeError("the installation has no such process")


def _pairs(name: str, ask: Callable[[str], object], many: str, few: str) -> None:
    taken: dict[str, list[float]] = {many: [], few: []}
    for project in (many, few):
        ask(project)  # the first one warms caches
    for _ in range(PAIRS):
        for project, seconds in taken.items():
            began = time.perf_counter()
            ask(project)
            seconds.append(time.perf_counter() - began)
    large, small = (statistics.median(taken[project]) for project in (many, few))
    over = "" if large / small <= RATIO_WANTED else "  OVER"
    print(
        f"  {name:<52}{large * 1000:9.1f}{small * 1000:9.1f}{large / small:9.2f}{over}", flush=True
    )


def _get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path).raise_for_status()
