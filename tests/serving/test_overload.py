"""Claims reach a real web process with ten times the load that it can serve."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from jobs.models import Attempt
from tests.serving.overload import SLOW_LIST, launched_attempts, overload, token, web
from tests.support import make

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.quiet,
    pytest.mark.timeout(300),
]
CLAIMS = 40
CLAIM_SECONDS_MAX = 5.0  # a worker waits for 30 s
CLIENTS = 100  # one interpreter serves one request at a time
WAITS, WAIT_SECONDS = 24, 8  # more than the connections of the pool; longer than a request waits


def test_claims_are_served_under_overload_and_all_is_well_after_it(tmp_path: Path) -> None:
    attempts, bearer = launched_attempts(CLAIMS), token()
    with web(tmp_path / "web.log") as url:
        figures = overload(url, bearer, attempts, clients=CLIENTS, seconds=10.0)
        began = time.monotonic()
        after = httpx.get(
            f"{url}{SLOW_LIST}", headers={"Authorization": f"Bearer {bearer}"}, trust_env=False
        )
        recovered_seconds = time.monotonic() - began
    assert figures.claim_statuses == {200: CLAIMS}
    assert figures.claim_percentile(0.99) < CLAIM_SECONDS_MAX
    assert Attempt.objects.filter(claimed_at__isnull=False).count() == CLAIMS
    assert figures.lists[200] > CLIENTS
    assert set(figures.lists) <= {200, 503}, figures.lists
    assert all(1 <= int(seconds or 0) <= 30 for seconds in figures.retry_after)
    assert after.status_code == 200
    assert recovered_seconds < CLAIM_SECONDS_MAX


def test_requests_that_wait_for_the_end_of_a_job_hold_no_slot(tmp_path: Path) -> None:
    job = make.job()
    headers = {"Authorization": f"Bearer {token()}"}
    with web(tmp_path / "web.log") as url, ThreadPoolExecutor(WAITS) as threads:

        def wait(_number: int) -> int:
            path = f"{url}/api/v1/jobs/{job.id}/?wait={WAIT_SECONDS}"
            return httpx.get(path, headers=headers, trust_env=False, timeout=60).status_code

        waits = [threads.submit(wait, number) for number in range(WAITS)]
        statuses = set()
        while not any(each.done() for each in waits):
            answer = httpx.get(f"{url}{SLOW_LIST}", headers=headers, trust_env=False, timeout=60)
            statuses.add(answer.status_code)
        assert statuses == {200}
        assert {each.result() for each in waits} == {200}
