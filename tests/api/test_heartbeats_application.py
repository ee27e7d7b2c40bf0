"""Heartbeats that the ASGI application answers, and requests that it passes to Django."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from jobs.api import heartbeats
from jobs.api.heartbeats import AcceptedClaims, Heartbeats, heartbeat_of
from jobs.api.worker import HeartbeatRequest
from jobs.contract.protocol import HeartbeatResponse
from jobs.core.tokens import session_token
from jobs.lifecycle.heartbeats import Heartbeat
from jobs.models import Attempt
from mimir.lib.asgi import Message, Receive, Scope, Send
from mimir.lib.bodies import Body, Pieces

BODY = b'{"memory_bytes": 5, "peak_memory_bytes": 7, "cpu_millicores": 3}'
RESPONSE: HeartbeatResponse = {"cancel": False, "timeout_at": "t", "heartbeat_seconds": 2.0}


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _body(content: bytes) -> Body:
    pieces = Pieces(_nothing, 1000)
    pieces.complete = True
    return Body(pieces, content)


def _claimed() -> Attempt:
    return Attempt(id=uuid4(), claim_id=uuid4())


def _scope(attempt: Attempt, token: str = "", **changes: Any) -> Scope:
    assert attempt.claim_id is not None
    token = token or session_token(attempt.id, attempt.claim_id)
    return {
        "type": "http",
        "method": "POST",
        "path": f"/worker/v1/attempts/{attempt.id}/heartbeat",
        "headers": [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        **changes,
    }


@dataclass
class World:
    """Heartbeat application in front of a fake Django.

    `stored`: whether the statement stores the heartbeats.
    """

    claims: AcceptedClaims = field(default_factory=AcceptedClaims)
    statements: list[list[UUID]] = field(default_factory=list)
    on_to_django: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    stored: bool = True

    def record(self, beats: Sequence[Heartbeat]) -> dict[UUID, HeartbeatResponse]:
        self.statements.append([each.attempt_id for each in beats])
        return {each.attempt_id: RESPONSE for each in beats} if self.stored else {}

    async def django(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.on_to_django.append(scope["path"])
        assert isinstance(receive, Body)
        assert receive.read() == BODY

    async def send(self, message: Message) -> None:
        self.answers.append(message.get("status") or json.loads(message["body"]))

    def ask(self, *scopes: Scope) -> None:
        """Send requests concurrently."""

        async def main() -> None:
            application = Heartbeats(self.django, claims=self.claims, record=self.record)
            await asyncio.gather(*(application(scope, _body(BODY), self.send) for scope in scopes))

        asyncio.run(main())

    def attempt(self) -> Attempt:
        attempt = _claimed()
        self.claims.add(attempt)
        return attempt


def test_heartbeats_that_arrive_together_share_a_statement() -> None:
    world = World()
    attempts = [world.attempt() for _ in range(3)]
    world.ask(*map(_scope, attempts))
    assert world.statements == [[each.id for each in attempts]]
    assert world.answers.count(RESPONSE) == world.answers.count(200) == 3
    assert not world.on_to_django


def _count(result: str) -> float:
    return REGISTRY.get_sample_value("mimir_heartbeat_seconds_count", {"result": result}) or 0


def test_each_heartbeat_is_counted_with_its_latency_and_result() -> None:
    before = _count("stored"), _count("passed_on")
    world, without = World(), World(stored=False)
    world.ask(*(_scope(world.attempt()) for _ in range(3)))
    without.ask(_scope(without.attempt()))
    assert (_count("stored"), _count("passed_on")) == (before[0] + 3, before[1] + 1)
    seconds = REGISTRY.get_sample_value("mimir_heartbeat_seconds_sum", {"result": "stored"})
    assert seconds is not None
    assert seconds >= heartbeats.GATHER_SECONDS


def test_a_statement_has_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "BATCH_MAX", 2)
    world = World()
    world.ask(*(_scope(world.attempt()) for _ in range(5)))
    assert [len(each) for each in world.statements] == [2, 2, 1]
    assert not world.on_to_django


def test_a_heartbeat_that_was_not_stored_is_passed_to_django_and_its_claim_is_removed() -> None:
    world = World(stored=False)
    attempt = world.attempt()
    world.ask(_scope(attempt))
    assert (len(world.statements), len(world.on_to_django), world.answers) == (1, 1, [])
    assert world.claims.get(attempt.id) is None


def test_without_the_database_heartbeats_are_passed_to_django(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_given: object) -> None:
        raise OSError("no database")

    monkeypatch.setattr(heartbeats, "heartbeats_record", fail)
    assert heartbeats._record([]) == {}


def test_a_second_heartbeat_of_an_attempt_and_those_above_the_limit_are_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeats, "WAITING_MAX", 2)
    world = World()
    one, two, three = world.attempt(), world.attempt(), world.attempt()
    world.ask(*map(_scope, (one, one, two, three)))
    assert [set(each) for each in world.statements] == [{one.id, two.id}]
    assert world.on_to_django == [_scope(one)["path"], _scope(three)["path"]]


def test_a_late_heartbeat_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "LATE_SECONDS", 0.0)
    world, late = World(), list[float]()

    async def main() -> None:
        application = Heartbeats(
            world.django, late.append, claims=world.claims, record=world.record
        )
        await application(_scope(world.attempt()), _body(BODY), world.send)

    asyncio.run(main())
    assert len(late) == 1


def test_only_the_latest_claims_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "CLAIMS_MAX", 2)
    claims, attempts = AcceptedClaims(), [_claimed() for _ in range(3)]
    for each in attempts:
        claims.add(each)
    assert [claims.get(each.id) for each in attempts] == [
        None,
        attempts[1].claim_id,
        attempts[2].claim_id,
    ]


_ATTEMPT = _claimed()
_OTHER = session_token(_ATTEMPT.id, uuid4())


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        ({}, _OTHER),
        ({}, "x"),
        ({"method": "PUT"}, ""),
        ({"path": f"/worker/v1/attempts/{_ATTEMPT.id}/finish"}, ""),
        ({"path": f"/worker/v1/attempts/{_ATTEMPT.id}/heartbeat/"}, ""),
        ({"path": f"/worker/v1/attempts/{str(_ATTEMPT.id).upper()}/heartbeat"}, ""),
        ({"path": f"/worker/v1/attempts/{uuid4()}/heartbeat"}, ""),
        ({"headers": []}, ""),
    ],
    ids=[
        "session of another claim",
        "no session",
        "method",
        "finish",
        "slash",
        "upper case",
        "another attempt",
        "no headers",
    ],
)
def test_any_other_request_is_passed_to_django(changes: dict[str, Any], token: str) -> None:
    claims = AcceptedClaims()
    claims.add(_ATTEMPT)

    async def main() -> tuple[Heartbeat | None, Heartbeat | None]:
        return (
            heartbeat_of(_scope(_ATTEMPT), _body(BODY), claims),
            heartbeat_of(_scope(_ATTEMPT, token, **changes), _body(BODY), claims),
        )

    ordinary, other = asyncio.run(main())
    assert ordinary is not None
    assert other is None


_numbers = st.one_of(
    st.integers(-1, 2**63), st.sampled_from([0, 2**40, 2**62, 10**12, 10**18]), st.booleans()
)
_bodies = st.one_of(
    st.fixed_dictionaries(
        {"memory_bytes": _numbers, "peak_memory_bytes": _numbers, "cpu_millicores": _numbers}
    ).map(lambda body: json.dumps(body).encode()),
    st.sampled_from(
        [
            b"",
            b"{}",
            BODY + b" ",
            BODY.replace(b"5", b"05"),
            BODY.replace(b"5", b"5.0"),
            BODY.replace(b"5", b"null"),
            BODY[:-1] + b', "cpu_millicores": 4}',
        ]
    ),
)


@given(_bodies)
def test_an_accepted_body_is_valid_for_django_with_the_same_values(body: bytes) -> None:
    claims = AcceptedClaims()
    claims.add(_ATTEMPT)

    async def main() -> Heartbeat | None:
        return heartbeat_of(_scope(_ATTEMPT), _body(body), claims)

    found = asyncio.run(main())
    if found is None:
        return
    checked = HeartbeatRequest(data=json.loads(body))
    assert checked.is_valid()
    assert checked.validated_data == {
        "memory_bytes": found.memory_bytes,
        "peak_memory_bytes": found.peak_memory_bytes,
        "cpu_millicores": found.cpu_millicores,
    }
