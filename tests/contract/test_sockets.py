"""WebSockets through the frontend's port: every message with its keys, and every close code."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.contract.conftest import Api, Person, command
from tests.live.follow import follow
from tests.support.signin import sign_in
from tests.support.stack import Stack

AsUser = Callable[[str | None], Api]
NO_JOB = "00000000-0000-7000-8000-000000000000"
SECONDS = 30.0


def _base(stack: Stack) -> str:
    return f"ws://127.0.0.1:{stack.environment['PORT']}"


@asynccontextmanager
async def _opened(stack: Stack, path: str, **headers: str) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"{_base(stack)}{path}", additional_headers=headers, max_size=None, max_queue=None
    ) as socket:
        yield socket


async def _all(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Return all messages until the socket is closed, and the close code."""
    got = []
    try:
        while True:
            got.append(json.loads(await asyncio.wait_for(socket.recv(), SECONDS)))
    except ConnectionClosed as closed:
        return got, closed.rcvd.code if closed.rcvd else None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_an_ended_job_sends_everything_then_end_then_1000(
    stack: Stack, api: Api, ran: dict[str, Any]
) -> None:
    async with _opened(stack, f"/ws/jobs/{ran['id']}/", **_bearer(str(api.token))) as socket:
        got, code = await _all(socket)
    assert code == 1000
    assert got[-1] == {"kind": "end"}
    events = [message for message in got if message["kind"] == "event"]
    assert all(
        set(message) == {"kind", "event", "seq", "at", "attempt", "data"} for message in events
    )
    stored = await asyncio.to_thread(api.every, f"jobs/{ran['id']}/events/")
    assert [(message["seq"], message["event"], message["data"]) for message in events] == [
        (row["seq"], row["kind"], row["data"]) for row in stored
    ]
    logs = [message for message in got if message["kind"] == "log"]
    assert all(set(message) == {"kind", "attempt", "offset", "end", "text"} for message in logs)
    log = (await asyncio.to_thread(api, "GET", f"jobs/{ran['id']}/logs/")).content
    assert "".join(message["text"] for message in logs) == log.decode(errors="replace")
    assert (logs[0]["offset"], logs[-1]["end"]) == (0, len(log))
    [job] = [message["job"] for message in got if message["kind"] == "job"]
    assert job == await asyncio.to_thread(api.get, f"jobs/{ran['id']}/")


async def test_a_client_resumes_from_its_position(
    stack: Stack, api: Api, ran: dict[str, Any]
) -> None:
    log = (await asyncio.to_thread(api, "GET", f"jobs/{ran['id']}/logs/")).content
    second_line = log.index(b"\n") + 1
    async with _opened(
        stack,
        f"/ws/jobs/{ran['id']}/?after=3&attempt=1&offset={second_line}",
        **_bearer(str(api.token)),
    ) as socket:
        got, code = await _all(socket)
    assert code == 1000
    assert next(message["seq"] for message in got if message["kind"] == "event") == 4
    assert next(message["offset"] for message in got if message["kind"] == "log") == second_line


async def test_a_client_that_disconnects_twenty_times_has_every_event_and_byte_once(
    stack: Stack, api: Api, project: str
) -> None:
    script = "for i in $(seq 1 200); do echo line $i; echo error $i >&2; sleep 0.02; done; exit 4"
    await asyncio.to_thread(
        api.post,
        f"projects/{project}/pipelines/",
        {"name": "talks", "definition": {"steps": [command("talk", ["sh", "-c", script])]}},
    )
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "talks"}, "max_attempts": 2}
    job = (await asyncio.to_thread(api.post, f"projects/{project}/jobs/", body))["id"]
    got = await follow(_base(stack), job, str(api.token), cuts=20)
    assert got.connections > 20
    stored = await asyncio.to_thread(api.every, f"jobs/{job}/events/")
    assert [(event["seq"], event["event"], event["data"]) for event in got.events] == [
        (row["seq"], row["kind"], row["data"]) for row in stored
    ]
    for attempt in (1, 2):
        log = await asyncio.to_thread(api, "GET", f"jobs/{job}/logs/", params={"attempt": attempt})
        assert got.log[attempt] == log.content
        assert log.headers["Log-Complete"] == "true"


@pytest.mark.parametrize("path", ["/ws/jobs/JOB/", "/ws/projects/contract/"])
async def test_a_forbidden_socket_is_closed_with_a_code(
    stack: Stack, path: str, ran: dict[str, Any], people: dict[str, Person]
) -> None:
    path = path.replace("JOB", ran["id"])
    for headers, code in (
        ({}, 4401),
        (_bearer("nonsense"), 4401),
        ({"Authorization": "Basic x"}, 4401),
        (_bearer(people["stranger"].token), 4404),
    ):
        async with _opened(stack, path, **headers) as socket:
            assert await _all(socket) == ([], code)
    for name in ("viewer", "operator", "maintainer"):
        async with _opened(stack, path, **_bearer(people[name].token)) as socket:
            assert json.loads(await asyncio.wait_for(socket.recv(), SECONDS))["kind"] in (
                "snapshot",
                "event",
            )


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/ws/jobs/{NO_JOB}/", 4404),
        ("/ws/jobs/x/", 4404),
        ("/ws/projects/none/", 4404),
        ("/ws/other/", 4404),
        ("/ws/jobs/JOB/?after=x", 4400),
        ("/ws/jobs/JOB/?offset=-1", 4400),
        ("/ws/jobs/JOB/?attempt=9999999999999999999", 4400),
    ],
)
async def test_unknown_and_invalid_sockets_are_closed_with_a_code(
    stack: Stack, api: Api, ran: dict[str, Any], path: str, code: int
) -> None:
    async with _opened(stack, path.replace("JOB", ran["id"]), **_bearer(str(api.token))) as socket:
        assert await _all(socket) == ([], code)


async def test_a_cookie_opens_a_socket_from_our_own_pages_only(
    stack: Stack, ran: dict[str, Any]
) -> None:
    person = await asyncio.to_thread(sign_in, stack)
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.cookies.jar)
    person.close()
    path, ours = f"/ws/jobs/{ran['id']}/", stack.described["frontend_url"]
    async with _opened(stack, path, Cookie=cookie, Origin=ours) as socket:
        got, code = await _all(socket)
    assert (got[-1], code) == ({"kind": "end"}, 1000)
    for foreign in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        async with _opened(stack, path, Cookie=cookie, **foreign) as socket:
            assert await _all(socket) == ([], 4403)


async def test_a_project_socket_sends_a_snapshot_and_then_changes(
    stack: Stack, api: Api, project: str, ran: dict[str, Any]
) -> None:
    async with _opened(stack, f"/ws/projects/{project}/", **_bearer(str(api.token))) as socket:
        snapshot = json.loads(await asyncio.wait_for(socket.recv(), SECONDS))
        assert set(snapshot) == {"kind", "jobs", "counts"}
        assert snapshot["kind"] == "snapshot"
        assert [job["id"] for job in snapshot["jobs"]] == sorted(
            (job["id"] for job in snapshot["jobs"]), reverse=True
        )
        body = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
        job = (await asyncio.to_thread(api.post, f"projects/{project}/jobs/", body))["id"]
        statuses: list[str] = []
        counts: dict[str, int] = {}
        while (
            "succeeded" not in statuses
            or counts.get("succeeded") != snapshot["counts"]["succeeded"] + 1
        ):
            message = json.loads(await asyncio.wait_for(socket.recv(), SECONDS))
            assert set(message) in ({"kind", "job"}, {"kind", "counts"})
            if message["kind"] == "job" and message["job"]["id"] == job:
                statuses.append(message["job"]["status"])
            counts = message.get("counts", counts)
        order = ["queued", "launching", "running", "succeeded"]
        assert [status for status in order if status in statuses] == list(
            dict.fromkeys(statuses)
        ), "latest wins, and never goes back"
    assert await asyncio.to_thread(api.get, f"projects/{project}/jobs/counts/") == counts


async def test_a_socket_is_closed_when_its_permission_ends(
    stack: Stack, api: Api, project: str, people: dict[str, Person], as_user: AsUser
) -> None:
    token = await asyncio.to_thread(api.post, "tokens/", {"name": "ends"})
    member = await asyncio.to_thread(
        as_user(people["stranger"].token).post, "tokens/", {"name": "was a member"}
    )
    await asyncio.to_thread(
        api, "PUT", f"projects/{project}/members/stranger/", json={"role": "viewer"}
    )
    async with (
        _opened(stack, f"/ws/projects/{project}/", **_bearer(token["token"])) as mine,
        _opened(stack, f"/ws/projects/{project}/", **_bearer(member["token"])) as theirs,
    ):
        for socket in (mine, theirs):
            assert json.loads(await asyncio.wait_for(socket.recv(), SECONDS))["kind"] == "snapshot"
        await asyncio.to_thread(api, "DELETE", f"tokens/{token['id']}/")
        await asyncio.to_thread(api, "DELETE", f"projects/{project}/members/stranger/")
        assert [(await _all(socket))[1] for socket in (mine, theirs)] == [4401, 4404]
