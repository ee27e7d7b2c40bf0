"""A real web process under ten times the load it can serve."""

import time
from pathlib import Path

import httpx
import pytest

from jobs.models import Attempt
from tests.serving.overload import SLOW_LIST, launched_attempts, overload, token, web

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.quiet,
    pytest.mark.timeout(300),
]
CLAIMS = 40
CLAIM_SECONDS_MAX = 5.0  # a worker waits for 30 s
CLIENTS = 100  # one request at a time is as much as one interpreter can serve


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
    assert set(figures.lists) == {200, 503}, figures.lists
    assert {1 <= int(seconds) <= 30 for seconds in figures.retry_after} == {True}
    assert after.status_code == 200
    assert recovered_seconds < CLAIM_SECONDS_MAX
