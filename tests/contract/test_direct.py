"""The port of the orchestrator in a real installation.

Sign-in and admin work only through the frontend, and scrapes only with the token.
"""

import uuid
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.contract.conftest import Api
from tests.support.stack import Stack


@pytest.fixture
def direct(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=stack.described["orchestrator_url"], timeout=20, trust_env=False
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/session/"),
        ("GET", "/admin/"),
        ("GET", "/admin/login/"),
        ("GET", "/api/docs/"),
        ("GET", "/api/schema/"),
        ("GET", "/metrics"),
    ],
)
def test_paths_for_users_are_rejected_with_an_explanation(
    direct: httpx.Client, method: str, path: str
) -> None:
    for headers in ({}, {"X-Forwarded-For": "9.9.9.9"}, {"X-Mimir-Frontend": "v1.1.e30.00"}):
        answer = direct.request(method, path, headers=headers)
        assert answer.status_code == 403
        assert len(answer.json()["message"]) > 60


def test_probes_programs_and_workers_get_a_response(direct: httpx.Client, stack: Stack) -> None:
    assert direct.get("/health").status_code == 200
    assert direct.get("/ready").status_code == 200
    assert (
        direct.get(
            "/api/v1/session/", headers={"Authorization": f"Bearer {stack.described['token']}"}
        ).status_code
        == 200
    )
    assert direct.post(f"/worker/v1/attempts/{uuid.uuid4()}/claim", json={}).status_code == 401
    token = psutil.Process(stack.pids("web")[0]).environ()["METRICS_TOKEN"]
    assert (
        "mimir_database_up"
        in direct.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text
    )


def test_a_forged_address_does_not_bypass_the_lockout(
    stack: Stack, direct: httpx.Client, api: Api
) -> None:
    """Through the frontend, ten wrong passwords lock the account, whatever address each request
    claims.

    The orchestrator itself rejects sign-ins without checking the password.
    """
    name = f"nobody-{uuid.uuid4().hex[:8]}"
    statuses = []
    with stack.client_for(None) as client:
        for number in range(12):
            forged = {"X-Forwarded-For": f"9.9.{number}.9", "X-Real-IP": f"9.9.{number}.9"}
            body = {"username": name, "password": "wrong"}
            assert direct.post("/api/v1/session/", json=body, headers=forged).status_code == 403
            statuses.append(client.post("/api/v1/session/", json=body, headers=forged).status_code)
    assert statuses[:9] == [401] * 9
    assert statuses[-1] == 429
