"""Following a job through the frontend.

Nothing is lost or duplicated when connections break or Redis fails.
"""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live.follow import Followed, follow
from tests.live.lossy import SENT
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return an installation with a channel layer that drops and duplicates messages."""
    yield from running(
        tmp_path_factory.mktemp("live"),
        CHANNEL_LAYER="tests.live.lossy.LossyLayer",
        CAPACITY_JOBS="8",
    )


def _base(stack: Stack) -> str:
    return f"ws://127.0.0.1:{stack.environment['PORT']}"


def _token(stack: Stack) -> str:
    return str(stack.described["token"])


def _assert_whole(stack: Stack, job: str, got: Followed) -> None:
    assert [event["event"] for event in got.events] == [
        event["kind"] for event in stack.events(job)
    ]
    for attempt in stack.attempts(job):
        assert (
            got.log.get(attempt["number"], b"").decode()
            == stack.log(job, attempt=attempt["number"]).text
        )


async def test_a_client_that_disconnects_twenty_times_receives_everything_once(
    stack: Stack,
) -> None:
    job = await asyncio.to_thread(
        stack.submit, "for i in $(seq 1 300); do echo line $i; sleep 0.02; done"
    )
    got = await follow(_base(stack), job, _token(stack), cuts=20)
    assert got.connections > 20
    _assert_whole(stack, job, got)


async def test_a_job_with_two_attempts_is_followed_from_one_log_into_the_next(stack: Stack) -> None:
    job = await asyncio.to_thread(stack.submit, "echo from $ATTEMPT_ID; exit 3", max_attempts=2)
    got = await follow(_base(stack), job, _token(stack))
    assert sorted(got.log) == [1, 2]
    _assert_whole(stack, job, got)


@pytest.mark.quiet
async def test_the_end_arrives_within_six_seconds_over_a_lossy_connection(
    stack: Stack,
) -> None:
    jobs = [
        await asyncio.to_thread(stack.submit, f"sleep {0.3 * number}; echo done")
        for number in range(8)
    ]

    async def late(job: str) -> float:
        got = Followed()
        headers = {"Authorization": f"Bearer {_token(stack)}"}
        async with connect(f"{_base(stack)}/ws/jobs/{job}/", additional_headers=headers) as socket:
            async for text in socket:
                got.take(json.loads(text))
                if got.job.get("finished_at"):
                    return (
                        dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(got.job["finished_at"])
                    ).total_seconds()
        raise AssertionError("the socket closed before the end message")

    delays = await asyncio.gather(*(late(job) for job in jobs))
    assert max(delays) <= 6.0, delays
    _assert_lossy(stack)


def _assert_lossy(stack: Stack) -> None:
    """Check that messages were lost and duplicated. Otherwise the layer was not used."""
    sent = (stack.var / SENT).read_text()
    assert len(sent) > 20
    assert 0.1 < sent.count("0") / len(sent) < 0.5
    assert sent.count("2") > 0


@pytest.mark.quiet
async def test_a_list_shows_the_end_within_six_seconds_over_a_line_that_loses_messages(
    stack: Stack,
) -> None:
    headers = {"Authorization": f"Bearer {_token(stack)}"}
    await asyncio.to_thread(stack.project)
    delays: dict[str, float] = {}
    async with connect(
        f"{_base(stack)}/ws/projects/demo/",
        additional_headers=headers,
        max_size=None,
        max_queue=None,
    ) as socket:
        await asyncio.wait_for(socket.recv(), 10)
        jobs = {
            await asyncio.to_thread(stack.submit, f"sleep {0.2 * number}; exit {number % 2}")
            for number in range(8)
        }
        while delays.keys() != jobs:
            message = json.loads(await asyncio.wait_for(socket.recv(), 60))
            job = message.get("job", {})
            if job.get("id") in jobs and job["finished_at"] and job["id"] not in delays:
                delays[job["id"]] = (
                    dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(job["finished_at"])
                ).total_seconds()
    assert max(delays.values()) <= 6.0, delays
    _assert_lossy(stack)


async def test_an_ended_job_sends_everything_and_closes_at_once(stack: Stack) -> None:
    job = await asyncio.to_thread(stack.submit, "echo one")
    await asyncio.to_thread(stack.assert_whole_log, job)
    got = await follow(_base(stack), job, _token(stack))
    _assert_whole(stack, job, got)
    assert got.connections == 1


async def _close_code(stack: Stack, path: str, headers: dict[str, str]) -> int | None:
    async with connect(f"{_base(stack)}{path}", additional_headers=headers) as socket:
        try:
            while True:
                await asyncio.wait_for(socket.recv(), 15)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("/ws/jobs/00000000-0000-7000-8000-000000000000/", True, 4404),
        ("/ws/projects/none/", True, 4404),
        ("/ws/projects/none/", False, 4401),
        ("/ws/nothing/", True, 4404),
    ],
)
async def test_a_forbidden_client_gets_a_close_code_a_browser_can_read(
    stack: Stack, path: str, token: bool, code: int
) -> None:
    headers = {"Authorization": f"Bearer {_token(stack)}"} if token else {}
    assert await _close_code(stack, path, headers) == code


async def test_a_socket_is_closed_when_the_right_to_it_ends(stack: Stack) -> None:
    created = (
        await asyncio.to_thread(stack.call, "POST", "/api/v1/tokens/", json={"name": "short"})
    ).json()
    await asyncio.to_thread(stack.project)
    closing = asyncio.create_task(
        _close_code(stack, "/ws/projects/demo/", {"Authorization": f"Bearer {created['token']}"})
    )
    await asyncio.sleep(0.5)
    await asyncio.to_thread(stack.call, "DELETE", f"/api/v1/tokens/{created['id']}/")
    assert await closing == 4401


async def test_a_projects_socket_gives_a_snapshot_and_then_what_changes(stack: Stack) -> None:
    first = await asyncio.to_thread(stack.submit, "true")
    await asyncio.to_thread(stack.end_of, first)
    headers = {"Authorization": f"Bearer {_token(stack)}"}
    async with connect(
        f"{_base(stack)}/ws/projects/demo/", additional_headers=headers, max_size=None
    ) as socket:
        snapshot = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert snapshot["kind"] == "snapshot"
        assert first in [job["id"] for job in snapshot["jobs"]]
        second = await asyncio.to_thread(stack.submit, "true")
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), 15))
            if (
                message["kind"] == "job"
                and message["job"]["id"] == second
                and message["job"]["status"] == "succeeded"
            ):
                break


async def test_an_idle_socket_still_receives_the_next_change(stack: Stack) -> None:
    """Regression of redis-py 8: an idle subscription timed out after five seconds."""
    await asyncio.to_thread(stack.project)
    headers = {"Authorization": f"Bearer {_token(stack)}"}
    async with connect(
        f"{_base(stack)}/ws/projects/demo/", additional_headers=headers, max_size=None
    ) as socket:
        await asyncio.wait_for(socket.recv(), 10)
        await asyncio.sleep(12)
        job = await asyncio.to_thread(stack.submit, "true")
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
            if message["kind"] == "job" and message["job"]["id"] == job:
                return


async def test_two_hundred_followers_receive_a_change(stack: Stack) -> None:
    """A connection pool of 100 with one connection per subscription would fail here."""
    await asyncio.to_thread(stack.project)
    headers = {"Authorization": f"Bearer {_token(stack)}"}
    ended = asyncio.Event()

    async def hear() -> str:
        async with connect(
            f"{_base(stack)}/ws/projects/demo/",
            additional_headers=headers,
            max_size=None,
            open_timeout=30,
        ) as socket:
            await asyncio.wait_for(socket.recv(), 30)
            opened.append(socket)
            if len(opened) == 200:
                ended.set()
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), 60))
                if message["kind"] == "job" and message["job"]["name"] == "heard by all":
                    return str(message["job"]["id"])

    opened: list[object] = []
    followers = [asyncio.create_task(hear()) for _ in range(200)]
    await asyncio.wait_for(ended.wait(), 60)
    job = await asyncio.to_thread(stack.submit, "true", name="heard by all")
    assert set(await asyncio.gather(*followers)) == {job}


def test_the_installation_is_still_whole(stack: Stack) -> None:
    wait_for(lambda: not stack.workers(), "every worker is cleaned up")
