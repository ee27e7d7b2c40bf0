"""A web process with far more requests than it can serve, and concurrent claims."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from django.db import connection

from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_ensure
from jobs.core.tokens import launch_token
from jobs.dispatch.launch import attempts_launch
from jobs.models import Attempt, Cluster, StartWindow
from mimir.dev.paths import ROOT
from projects.models import Project
from projects.tokens.write import session_create
from tests.support import make
from tests.support.served import served

SLOW_LIST = "/api/v1/projects/demo/jobs/?limit=200"
# delay of a client after an error; without it, refusals would keep the CPUs busy
PAUSE_SECONDS = 0.2


@dataclass
class Figures:
    """Seconds of each claim, and statuses of all requests. The status 0 means no response."""

    claims: list[float] = field(default_factory=list)
    claim_statuses: Counter[int] = field(default_factory=Counter)
    lists: Counter[int] = field(default_factory=Counter)
    retry_after: set[str] = field(default_factory=set)

    def claim_percentile(self, share: float) -> float:
        """Return the duration in seconds that the given share of claims does not exceed."""
        return sorted(self.claims)[max(0, round(share * len(self.claims)) - 1)]


def launched_attempts(count: int) -> list[UUID]:
    """Return unclaimed attempts of a new project `demo`, and make its list of jobs slow."""
    project = make.project()
    cluster = cluster_ensure()
    Cluster.objects.update(capacity_jobs=10_000, capacity_cpu_millicores=0, capacity_memory_bytes=0)
    StartWindow.objects.create(cluster=cluster, size=1000.0)
    for _ in range(max(count, 200)):
        make.job(project)
    admit_once(hint=False)
    ids = list(Attempt.objects.order_by("id").values_list("id", flat=True)[:count])
    assert len(ids) == count
    attempts_launch(ids)
    return ids


def token() -> str:
    """Return a session token of the project's maintainer."""
    owner = Project.objects.get(slug="demo").created_by
    assert owner is not None
    return session_create(user=owner).token


@contextmanager
def web(log: Path, source: Path = ROOT) -> Iterator[str]:
    """Serve the test database with the code in `source`; yield the URL."""
    facts = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
        "DATABASE_URL": f"postgresql://{facts['USER']}:{facts['PASSWORD']}@{facts['HOST']}:"
        f"{facts['PORT']}/{facts['NAME']}",
    }
    with served("orchestrator", environment, log, source=source) as url:
        yield url


def overload(
    url: str, bearer: str, attempts: Sequence[UUID], *, clients: int, seconds: float
) -> Figures:
    """Send slow list requests from `clients` clients, and claims evenly over `seconds`."""
    figures, ended = Figures(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_lists(url, bearer, clients, figures, ended))
    )
    thread.start()
    time.sleep(seconds / 5)  # until all clients wait
    claiming = [
        threading.Thread(
            target=_claim, args=(url, attempt, number * seconds / len(attempts), figures)
        )
        for number, attempt in enumerate(attempts)
    ]
    try:
        for each in claiming:
            each.start()
        for each in claiming:
            each.join()
    finally:
        ended.set()
        thread.join()
    return figures


async def _lists(
    url: str, bearer: str, clients: int, figures: Figures, ended: threading.Event
) -> None:
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {bearer}"}

    async def ask_again(http: httpx.AsyncClient) -> None:
        while not ended.is_set():
            try:
                answer = await http.get(SLOW_LIST)
            except httpx.HTTPError:
                figures.lists[0] += 1
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            figures.lists[answer.status_code] += 1
            if answer.status_code != 200:
                figures.retry_after.add(answer.headers.get("Retry-After", ""))
                await asyncio.sleep(PAUSE_SECONDS)

    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=30, limits=limits, trust_env=False
    ) as http:
        await asyncio.gather(*(ask_again(http) for _ in range(clients)))


def _claim(url: str, attempt: UUID, after_seconds: float, figures: Figures) -> None:
    """Claim once on a new connection, as a worker does."""
    time.sleep(after_seconds)
    began = time.monotonic()
    http = HTTPConnection(url.removeprefix("http://"), timeout=30)
    body = json.dumps({"claim_id": str(uuid4()), "hostname": "test", "pid": 1})
    headers = {
        "Authorization": f"Bearer {launch_token(attempt)}",
        "Content-Type": "application/json",
    }
    try:
        http.request("POST", f"/worker/v1/attempts/{attempt}/claim", body, headers)
        status = http.getresponse().status
    except (OSError, HTTPException):
        status = 0
    finally:
        http.close()
    figures.claims.append(time.monotonic() - began)
    figures.claim_statuses[status] += 1
