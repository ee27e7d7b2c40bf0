"""Access table: permissions of every route and WebSocket. A route without a rule fails."""

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client

from jobs.live.routing import websocket_application, websocket_routes
from tests.api.access_rules import PAGE, PUBLIC, RULES, SIGNED, SITE, SOCKETS, WORKER, found_routes
from tests.api.access_world import PEOPLE, World, request_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
RANK = {"viewer": 1, "operator": 2, "maintainer": 3}


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert found_routes() == RULES.keys()


def test_every_socket_has_a_rule_and_every_rule_a_socket() -> None:
    assert {str(route.pattern) for route in websocket_routes} == SOCKETS.keys()


@pytest.mark.parametrize(("route", "method"), sorted(RULES))
def test_access(world: World, route: str, method: str) -> None:
    need, body = RULES[route, method]
    for person in PEOPLE:
        status = request_as(world, route, method, body, world.tokens.get(person)).status_code
        _check_status(need, person, status)


def _check_status(need: str, person: str, status: int) -> None:
    mismatch = f"{person} got {status}, the rule is {need}"
    if need == PUBLIC:
        assert status in (200, 401), mismatch  # 401: the sign-in itself, with a wrong password
    elif need == "link":
        assert status == 400, mismatch  # no role is needed for a link, and this link is wrong
    elif need == PAGE:
        assert status == (302 if person in ("nobody", "expired", "worker") else 200), (
            mismatch
        )  # to the sign-in page
    elif need == WORKER:
        # Calls with an empty body may be refused for that, and the claim takes the launch token:
        # never accepted, never 5xx.
        assert (status == 401) if person != "worker" else status < 500, mismatch
    elif person in ("nobody", "expired", "worker"):
        assert status == 401, mismatch
    elif need == "staged":
        assert status == (403 if person in ("viewer", "operator") else 404), (
            mismatch
        )  # maintainers see only their own, and this one is nobody's
    elif need == "password":
        assert status == 400, mismatch  # the current one is wrong
    elif need == SIGNED:
        assert status < 300 or status == 409, mismatch
    elif need == "own":
        assert status in (200, 204) if person == "maintainer" else status == 404, mismatch
    elif need == SITE:
        assert status == 403, mismatch
    elif person == "stranger":
        assert status == 404, mismatch
    elif RANK[person] < RANK[need]:
        assert status == 403, mismatch
    else:
        assert status < 300 or status == 409, mismatch


@pytest.mark.parametrize("route", sorted(SOCKETS))
async def test_access_to_a_socket(world: World, route: str) -> None:
    path = "/" + route.replace("<str:job_id>", str(world.job.id)).replace(
        "<str:slug>", world.project.slug
    ).replace("^.*$", "ws/other/")
    for person in PEOPLE:
        expected = {"nobody": 4401, "expired": 4401, "worker": 4401, "stranger": 4404}.get(person)
        if SOCKETS[route] == PUBLIC:
            expected = 4404
        token = world.tokens.get(person)
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        socket = WebsocketCommunicator(websocket_application, path, headers=headers)
        await socket.connect()
        first = await socket.receive_output(timeout=10)
        code = first.get("code") if first["type"] == "websocket.close" else None
        assert code == expected, f"{person} at {route}: {code}"
        await socket.disconnect()


async def test_a_cookie_opens_no_socket_of_the_orchestrator(world: World) -> None:
    """The frontend exchanges cookies for Bearer tokens and checks the Origin header itself."""
    client = Client()
    user = await database_sync_to_async(User.objects.get)(username="maintainer")
    await database_sync_to_async(client.force_login)(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    socket = WebsocketCommunicator(
        websocket_application, f"/ws/jobs/{world.job.id}/", headers=[(b"cookie", cookie.encode())]
    )
    await socket.connect()
    first = await socket.receive_output(timeout=10)
    assert (first["type"], first.get("code")) == ("websocket.close", 4401)
    await socket.disconnect()
