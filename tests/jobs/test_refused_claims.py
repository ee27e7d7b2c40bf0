"""Workers with claims that were refused for overload, recorded by a heartbeat of web."""

import asyncio
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from jobs.core.tokens import launch_token
from jobs.liveness import answering
from jobs.liveness.refused_claims import RefusedClaims, calls_record
from jobs.liveness.uptime import web_beat
from jobs.models import Attempt, WebPause
from mimir.api.lanes import Lanes, lane_limits
from tests.support import make

rows = pytest.mark.django_db(transaction=True)


def _scope(attempt: UUID | str, token: str, name: str = "claim") -> dict[str, Any]:
    return {
        "path": f"/worker/v1/attempts/{attempt}/{name}",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
    }


def test_only_a_claim_with_the_token_of_its_attempt_is_remembered() -> None:
    mine, other = uuid4(), uuid4()
    refused = RefusedClaims()
    for scope in (
        _scope(mine, launch_token(mine)),
        _scope(other, launch_token(mine)),
        _scope(other, ""),
        _scope(other, launch_token(other), "heartbeat"),
        _scope("no-uuid", launch_token(other)),
        {**_scope(other, ""), "headers": []},
    ):
        refused.add(scope)
    assert refused.take() == {mine}
    assert refused.take() == frozenset()


@rows
def test_the_call_of_an_unclaimed_attempt_is_recorded() -> None:
    launched = make.launched()
    assert calls_record(attempt_ids=[launched.id, uuid4()]) == 1
    launched.refresh_from_db()
    assert launched.called_at is not None


@rows
def test_the_call_of_a_claimed_attempt_is_not_recorded() -> None:
    claimed = make.claimed()
    assert calls_record(attempt_ids=[claimed.id]) == 0


@rows
def test_a_heartbeat_does_not_wait_for_the_lock_of_an_attempt() -> None:
    launched = make.launched()
    recorded: list[int] = []

    def record() -> None:
        recorded.append(calls_record(attempt_ids=[launched.id]))
        connection.close()

    with transaction.atomic():
        Attempt.objects.select_for_update().get(id=launched.id)
        thread = threading.Thread(target=record)
        thread.start()
        thread.join(20)
    assert recorded == [0]


@rows
def test_a_heartbeat_that_fails_is_recorded_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launched = make.launched()
    lanes = Lanes(_no_application, lane_limits(20))
    refused = RefusedClaims()
    refused.add(_scope(launched.id, launch_token(launched.id)))
    beats: list[float] = []

    def fail_once(overloaded_seconds: float) -> None:
        beats.append(overloaded_seconds)
        if len(beats) == 1:
            raise ConnectionError("no database")
        web_beat(overloaded_seconds)

    async def run() -> None:
        lanes.note_overload(asyncio.get_running_loop().time() - 3.0)
        task = asyncio.create_task(answering.beat_forever(lanes, refused))
        while len(beats) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    monkeypatch.setattr(answering, "web_beat", fail_once)
    monkeypatch.setattr(answering, "BEAT_SECONDS", 0.01)
    asyncio.run(run())
    assert beats[1] >= beats[0] >= 3.0
    assert beats[2] == 0.0
    assert [row.cause for row in WebPause.objects.all()] == ["overloaded"]
    launched.refresh_from_db()
    assert launched.called_at is not None


async def _no_application(*_call: Any) -> None:
    raise AssertionError
