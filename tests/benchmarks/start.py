"""Time from the POST to the first line of `/bin/echo` on an idle installation, compared with the
two interpreters that a worker starts.
"""

import datetime as dt
import itertools
import json
import os
import random
import subprocess
import sys
import time
import uuid
from typing import Any

from websockets.sync.client import connect

from jobs.clusters.launchers.process import WORKER_ARGV
from mimir.dev.paths import ROOT
from tests.benchmarks.figures import head, percentile, row, verdict
from tests.support.stack import Stack
from tests.support.waiting import wait_for

RUNS = 50
PAUSE_SECONDS = 0.5  # random, at most this long: polling shows up as spread
OWN_P50_SECONDS, OWN_SPREAD_SECONDS = 0.150, 0.100
PLAIN = [[sys.executable, "-c", "pass"]] * 2
# The two starts of a worker, with its options and imports but without work:
# jobs/clusters/launchers/process.py, jobs/worker/process.py.
LIKE_A_WORKER = [
    [*WORKER_ARGV[:-2], "-c", "import jobs.worker.__main__, jobs.worker.attempt"],
    [sys.executable, "-c", "import jobs.worker.workload, jobs.worker.pipelines.runner"],
]
INSTANTS = [
    "POST sent",
    "committed",
    "admitted",
    "spawned",
    "claimed",
    "line written",
    "line visible",
]


def measure(stack: Stack) -> None:
    """Print the duration of each phase, the plain starts, and our share of the total."""
    pipeline = _pipeline(stack)
    _run(stack, pipeline)  # the first one warms caches
    runs, plain, like = [], [], []
    for _ in range(RUNS):
        time.sleep(random.uniform(0, PAUSE_SECONDS))
        runs.append(_run(stack, pipeline))
        plain.append(_bare(PLAIN))
        like.append(_bare(LIKE_A_WORKER))
    head(f"POST to the first line of /bin/echo, {RUNS} runs")
    for before, after in itertools.pairwise(INSTANTS):
        row(f"{before} -> {after}", [run[after] - run[before] for run in runs])
    row("(POST sent -> its answer)", [run["answered"] - run["POST sent"] for run in runs])
    totals = [run["line visible"] - run["POST sent"] for run in runs]
    row("all of it", totals)
    row("two bare interpreter starts", plain)
    row("two interpreter starts with a worker's imports", like)
    own = [total - bare for total, bare in zip(totals, plain, strict=True)]
    row("the system's own share", own, verdict(percentile(own, 50), OWN_P50_SECONDS))
    spread = percentile(own, 90) - percentile(own, 10)
    print(f"  its p90 - p10: {spread * 1000:.1f}  {verdict(spread, OWN_SPREAD_SECONDS)}")
    row(
        "beyond a worker's imports",
        [total - bare for total, bare in zip(totals, like, strict=True)],
    )


def _pipeline(stack: Stack) -> str:
    name = f"bench{uuid.uuid4().hex[:8]}"
    steps = [{"id": "say", "uses": "command", "with": {"argv": ["/bin/echo", "hello"]}}]
    body = {"name": name, "definition": {"steps": steps}}
    stack.call(
        "POST", f"/api/v1/projects/{stack.project()}/pipelines/", json=body
    ).raise_for_status()
    return name


def _run(stack: Stack, pipeline: str) -> dict[str, float]:
    """Run one job and return its timestamps, in seconds of the clock that all processes share.

    Returns after its worker is cleaned up.
    """
    body = {"type": "pipeline_execution", "parameters": {"pipeline": pipeline}}
    sent = time.time()
    answer = stack.client.post("/api/v1/projects/demo/jobs/", json=body)
    answered = time.time()
    created = answer.raise_for_status().json()
    visible = _first_line(stack, created["id"])
    stack.end_of(created["id"])
    wait_for(lambda: not stack.workers(), "its worker is cleaned up")
    at = {event["kind"]: _seconds(event["at"]) for event in stack.events(created["id"])}
    return {
        "POST sent": sent,
        "committed": _seconds(created["created_at"]),
        "answered": answered,
        "admitted": at["job.admitted"],
        "spawned": at["job.launched"],
        "claimed": at["job.claimed"],
        "line written": _seconds(stack.log(created["id"]).text.split(" ", 1)[0]),
        "line visible": visible,
    }


def _first_line(stack: Stack, job: str) -> float:
    """Return the time at which a follower of the job receives its first line."""
    url = stack.described["frontend_url"].replace("http", "ws", 1)
    headers = {"Authorization": f"Bearer {stack.described['token']}"}
    with connect(f"{url}/ws/jobs/{job}/", additional_headers=headers, proxy=None) as socket:
        while True:
            message: dict[str, Any] = json.loads(socket.recv(timeout=60))
            if message["kind"] == "log":
                return time.time()


def _bare(starts: list[list[str]]) -> float:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    for argv in starts:
        subprocess.run(argv, env=environment, cwd="/", check=True)
    return time.perf_counter() - began


def _seconds(at: str) -> float:
    return dt.datetime.fromisoformat(at).timestamp()
