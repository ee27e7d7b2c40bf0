"""Worker tokens: which calls they allow, and until when."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from jobs.core.tokens import launch_token, session_token
from jobs.models import Artifact, Attempt
from tests.api.access_world import World, other_attempt
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    "call",
    [
        "heartbeat",
        "events",
        "finish",
        "finish-with-events",
        "inputs/t",
        "artifacts/x.txt",
        "logs?offset=0",
    ],
)
def test_a_worker_opens_its_own_attempt_only(world: World, call: str) -> None:
    other = other_attempt(world)
    assert other.claim_id is not None
    foreign = session_token(other.id, other.claim_id)
    method = {"inputs/t": "get", "artifacts/x.txt": "put"}.get(call, "post")
    path = f"/worker/v1/attempts/{world.attempt.id}/{call}"
    for token in (
        foreign,
        launch_token(world.attempt.id),
        session_token(world.attempt.id, uuid4()),
        "x",
    ):
        response = Client().generic(
            method.upper(),
            path,
            b"{}",
            "application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert response.status_code == 401


def test_a_workers_token_ends_with_its_attempt_but_for_the_log_until_that_is_closed(
    world: World,
) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['worker']}"}
    base = f"/worker/v1/attempts/{world.attempt.id}"
    line = make.LINE + b"late\n"
    make.launcher().obeys = False
    make.launcher().leave_processes(world.attempt.name, 1)
    make.reconcile()

    def post(call: str, data: Any, kind: str = "application/json") -> int:
        return (
            Client()
            .post(f"{base}/{call}", data=data, content_type=kind, headers=headers)
            .status_code
        )

    beat = json.dumps({"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1})
    assert post("heartbeat", beat) == 410
    assert post("events", json.dumps({"events": []})) == 410
    assert Client().get(f"{base}/inputs/t", headers=headers).status_code == 410
    assert Client().put(f"{base}/artifacts/y", data=b"", headers=headers).status_code == 410
    assert post("logs?offset=0", line, "application/octet-stream") == 200
    make.launcher().end(world.attempt.name)
    make.settle()
    assert post(f"logs?offset={len(line)}", line, "application/octet-stream") == 410


def test_a_workers_token_ends_when_its_result_is_accepted_but_for_that_same_report(
    world: World,
) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['worker']}"}
    base = f"/worker/v1/attempts/{world.attempt.id}"
    make.log(world.attempt, b"one")
    assert make.finish(world.attempt) == "succeeded"

    def ask(method: str, call: str, data: Any = "{}", kind: str = "application/json") -> int:
        return (
            Client()
            .generic(method, f"{base}/{call}", data, content_type=kind, headers=headers)
            .status_code
        )

    beat = json.dumps({"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1})
    assert ask("POST", "heartbeat", beat) == 410
    assert ask("POST", "events", json.dumps({"events": []})) == 410
    assert ask("GET", "inputs/t") == 410
    assert ask("PUT", "artifacts/late.txt", b"x", "application/octet-stream") == 410
    world.attempt.refresh_from_db()
    assert (
        ask(
            "POST",
            f"logs?offset={world.attempt.log_end}",
            make.LINE + b"late\n",
            "application/octet-stream",
        )
        == 410
    )
    assert not Artifact.objects.filter(name="late.txt").exists()
    assert world.attempt.log_closed_at is not None


def test_a_launch_token_opens_the_claim_of_its_own_attempt_until_that_ended(world: World) -> None:
    other = other_attempt(world)

    def claim(attempt: Attempt, token: str, claim_id: object) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        body = json.dumps({"claim_id": str(claim_id)})
        return (
            Client()
            .post(
                f"/worker/v1/attempts/{attempt.id}/claim",
                body,
                content_type="application/json",
                headers=headers,
            )
            .status_code
        )

    own = launch_token(world.attempt.id)
    assert claim(world.attempt, own, world.attempt.claim_id) == 200, (
        "the same claim again has its answer again"
    )
    assert claim(world.attempt, own, uuid4()) == 409
    assert claim(other, own, other.claim_id) == 401
    assert claim(world.attempt, world.tokens["worker"], world.attempt.claim_id) == 401
    make.finish(world.attempt)
    assert claim(world.attempt, own, world.attempt.claim_id) == 410
