"""Lanes of requests in virtual time: order, bounds, refusal and recovery."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimir.api.lanes import LATE_SECONDS, SLOT_SECONDS, SLOW_SECONDS, LaneLimits, lane_limits
from mimir.env.storage import POOL_SIZE_MIN
from mimir.lib.request_slot import slot_release
from tests.api.lanes_world import CLAIM, LIMITS, LIST, LOGS, Request, World
from tests.support.virtual_loop import run_virtual

CLAIMS, TRANSFERS, INTERACTIVE = LIMITS
FINISH = CLAIM.replace("claim", "finish-with-events")
YOUNG_SECONDS = SLOT_SECONDS - 1e-6


def virtual(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an asynchronous test in virtual time."""

    @wraps(test)
    def run() -> None:
        async def main() -> None:
            await test()

        run_virtual(main())

    return run


@virtual
async def test_waiting_claims_begin_before_everything_else() -> None:
    world = World()
    lists = [Request(LIST, 0.2), Request(LIST, 0.2), Request(LIST, at=0.1)]
    first = [Request(CLAIM, 0.5) for _ in range(2)]
    waiting = [Request(CLAIM, 0.1, at=0.15) for _ in range(2)]
    logs = [Request(LOGS, 0.05), Request(LOGS, 0.05, at=0.16)]
    await world.ask_all(*lists, *first, *waiting, *logs)
    assert [claim.begun for claim in waiting] == pytest.approx([0.5, 0.5])
    assert lists[2].begun == pytest.approx(0.5), "its slot was free from 0.2 on"
    assert logs[1].begun == pytest.approx(0.5), "its slot was free from 0.05 on"


@virtual
async def test_others_are_served_beside_few_claims() -> None:
    world = World()
    claims = [Request(CLAIM, 0.05, at=number * 0.1) for number in range(50)]
    lists = [Request(LIST, 0.5) for _ in range(18)]
    await world.ask_all(*claims, *lists)
    assert {request.status for request in (*claims, *lists)} == {200}
    assert max(request.ended or 0 for request in lists) == pytest.approx(0.5 * 9)


@virtual
async def test_one_request_a_second_is_served_while_claims_wait_all_the_time() -> None:
    world = World()
    claims = [Request(CLAIM, 0.5, at=number * 0.2) for number in range(50)]
    lists = [Request(LIST, 0.1, at=number * 1.0 + 0.9) for number in range(9)]
    await world.ask_all(*claims, *lists)
    assert [request.status for request in lists] == [200] * 9
    assert all((request.ended or 99) - request.at < 2.0 for request in lists)


@virtual
async def test_requests_of_a_lane_begin_in_the_order_of_arrival_and_few_at_once() -> None:
    most = 0

    def count(_request: Request) -> None:
        nonlocal most
        most = max(most, len(world.running))

    world = World(wait=count)
    lists = [Request(LIST, 0.3) for _ in range(12)]
    await world.ask_all(*lists)
    assert (world.begun, most) == (lists, INTERACTIVE.slots)


@virtual
async def test_a_slot_is_free_when_the_response_starts() -> None:
    world = World()
    downloads = [Request(LIST, 0.1, more=60.0) for _ in range(2)]
    last = Request(LIST)
    await world.ask_all(*downloads, last)
    assert last.begun == pytest.approx(0.1)


@virtual
async def test_a_request_that_runs_for_a_second_leaves_its_slot_but_still_counts() -> None:
    world = World()
    slow = [Request(LIST, 30.0) for _ in range(4)]
    last = Request(LIST)
    await world.ask_all(*slow, last)
    assert [request.begun for request in slow] == pytest.approx([0, 0, SLOT_SECONDS, SLOT_SECONDS])
    assert (last.begun, last.status) == (None, 503)


@virtual
async def test_a_request_that_waits_without_a_connection_does_not_count() -> None:
    world = World(wait=lambda request: slot_release() if request.seconds > 1 else None)
    waits = [Request(LIST, 30.0) for _ in range(50)]
    last = Request(LIST, at=1.0)
    await world.ask_all(*waits, last)
    assert {request.begun for request in waits} == {0.0}
    assert last.begun == pytest.approx(1.0)


@virtual
async def test_slow_claims_do_not_hold_up_the_others() -> None:
    """Slow claims wait for a bucket, not for the CPU."""
    world = World()
    slow = [Request(CLAIM, 20.0) for _ in range(3)]
    waiting = Request(CLAIM, at=2.5)
    lists = [Request(LIST, at=3.0 + number / 10) for number in range(9)]
    await world.ask_all(*slow, waiting, *lists)
    assert waiting.begun is None
    assert [request.begun for request in lists] == pytest.approx([each.at for each in lists])


@virtual
async def test_a_client_that_disconnects_leaves_the_queue() -> None:
    world = World()
    running = [Request(LIST, 0.5) for _ in range(2)]
    gone, next_one = Request(LIST), Request(LIST)
    tasks = [world.start(request) for request in (*running, gone, next_one)]
    await asyncio.sleep(0.2)
    gone.gone.set()
    await asyncio.gather(*tasks)
    assert (gone.begun, gone.status) == (None, 0)
    assert gone.ended == pytest.approx(0.2)
    assert next_one.begun == pytest.approx(0.5)


@virtual
async def test_a_cancelled_request_leaves_the_queue_and_its_slot() -> None:
    world = World()
    running = [Request(LIST, 0.5) for _ in range(2)]
    waiting = [Request(LIST) for _ in range(3)]
    tasks = [world.start(request) for request in (*running, *waiting)]
    await asyncio.sleep(0.2)
    tasks[0].cancel()
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [request.begun for request in waiting] == [pytest.approx(0.2), None, pytest.approx(0.3)]


@virtual
async def test_a_failing_request_leaves_its_slot() -> None:
    world = World()
    failing = [Request(LIST, 0.1, fails=True) for _ in range(6)]
    last = Request(LIST)
    await world.ask_all(*failing, last)
    assert [request.status for request in failing] == [500] * 6
    assert last.status == 200
    assert last.begun == pytest.approx(0.3)


@pytest.mark.parametrize("path", [CLAIM, FINISH, LOGS, LIST])
def test_a_request_that_cannot_begin_in_time_is_refused_with_retry_after(path: str) -> None:
    async def main() -> None:
        world = World()
        refused = Request(path)
        await world.ask_all(*(Request(path, 60.0) for _ in range(4)), refused)
        limits = {CLAIM: CLAIMS, FINISH: CLAIMS, LOGS: TRANSFERS, LIST: INTERACTIVE}[path]
        seconds = int(refused.headers.get(b"retry-after", 0))
        assert 1 <= seconds <= 30
        assert (refused.status, refused.error["code"]) == (503, "overloaded")
        assert refused.error["message"] == f"The server is busy. Try again in {seconds} s."
        assert refused.ended is not None
        assert refused.ended == pytest.approx(limits.wait_seconds)

    run_virtual(main())


@virtual
async def test_a_queue_that_is_too_long_refuses_at_once_and_recovers_at_once() -> None:
    world = World()
    flood = [Request(LIST, 0.5, at=number * 0.025) for number in range(800)]
    await world.ask_all(*flood)
    served = [request for request in flood if request.status == 200]
    refused = [request for request in flood if request.status == 503]
    assert len(served) + len(refused) == 800
    assert len(served) == pytest.approx(4 * 20, abs=25), "four a second, as without a flood"
    late = refused[len(refused) // 2 :]
    at_once = [request for request in late if (request.ended or 0) - request.at < 1e-6]
    assert len(at_once) > len(late) / 2
    assert {int(request.headers.get(b"retry-after", 0)) for request in late} <= set(range(1, 31))
    after = Request(LIST)
    await world.ask(after)
    assert after.status == 200
    assert (after.ended or 0) - (after.begun or 0) == pytest.approx(0.1)


@virtual
async def test_health_is_answered_while_everything_waits() -> None:
    world = World()
    slow = [Request(path, 60.0) for path in (CLAIM, LOGS, LIST) for _ in range(9)]
    probes = [Request(path, at=1.0) for path in ("/health", "/ready/", "/metrics")]
    await world.ask_all(*slow, *probes)
    assert [probe.begun for probe in probes] == pytest.approx([1.0] * 3)


@pytest.mark.parametrize(
    ("requests", "since"),
    [
        ([Request(CLAIM, LATE_SECONDS) for _ in range(3)], None),
        ([Request(CLAIM, LATE_SECONDS + 0.5, at=1.0) for _ in range(9)], 1.0),
        ([Request(CLAIM, 60.0, at=2.0) for _ in range(3)] + [Request(CLAIM, at=3.5)], 2.0),
        ([Request(CLAIM, SLOW_SECONDS + 1, at=2.0)], 2.0),
        ([Request(CLAIM.replace("claim", "finish"), SLOW_SECONDS + 1, at=2.0)], None),
        ([Request(LIST, 60.0) for _ in range(9)], None),
    ],
    ids=["in time", "late", "refused", "slow", "slow finish", "lists"],
)
def test_an_overload_is_reported_once_from_the_arrival_of_its_first_claim(
    requests: list[Request], since: float | None
) -> None:
    async def main() -> None:
        world = World()
        began = asyncio.get_running_loop().time()
        await world.ask_all(*requests)
        found = world.lanes.take_overload()
        assert found == (None if since is None else pytest.approx(began + since))
        assert world.lanes.take_overload() is None

    run_virtual(main())


@virtual
async def test_claims_that_still_wait_are_an_overload() -> None:
    world = World()
    tasks = [world.start(Request(CLAIM, 4.0)) for _ in range(4)]
    await asyncio.sleep(LATE_SECONDS + 0.5)
    assert world.lanes.take_overload() is not None
    await asyncio.gather(*tasks)


@virtual
async def test_refused_claims_are_reported() -> None:
    world = World()
    await world.ask_all(*(Request(CLAIM, 60.0) for _ in range(4)), Request(LIST, 60.0))
    assert world.refused == [CLAIM]


@pytest.mark.parametrize("connections", [1, 4, POOL_SIZE_MIN, 20, 50, 1000])
def test_the_lanes_fit_the_pool(connections: int) -> None:
    limits = lane_limits(connections)
    assert sum(lane.most for lane in limits) <= max(3, connections - 2)
    assert all(1 <= lane.slots <= lane.most for lane in limits)


_requests = st.builds(
    Request,
    path=st.sampled_from([CLAIM, LOGS, LIST]),
    seconds=st.sampled_from([0.01, 0.2, 0.7, 1.5, 4.0]),
    more=st.sampled_from([0.0, 3.0]),
    fails=st.booleans(),
    at=st.floats(0, 5),
)


@given(st.lists(_requests, max_size=60))
def test_each_request_has_one_response_and_the_bounds_hold(requests: list[Request]) -> None:
    async def main() -> None:
        def check(_request: Request) -> None:
            for path, limits in ((CLAIM, CLAIMS), (LOGS, TRANSFERS), (LIST, INTERACTIVE)):
                running = [each for each in world.running if each.path == path]
                young = [each for each in running if world.now - (each.begun or 0) < YOUNG_SECONDS]
                assert len(running) <= limits.most
                assert len(young) <= limits.slots

        world = World(wait=check)
        for request in requests:
            request.begun, request.status, request.body = None, 0, b""
        await world.ask_all(*requests)
        for request in requests:
            if request.status == 503:
                assert request.begun is None
                assert 1 <= int(request.headers.get(b"retry-after", 0)) <= 30
            else:
                assert request.begun is not None
                assert request.status == (500 if request.fails else 200)
                wait = request.begun - request.at
                assert wait <= _limits_of(request).wait_seconds + 0.001
        assert world.running == []
        last = [Request(path) for path in (CLAIM, LOGS, LIST)]
        await world.ask_all(*last)
        assert all((each.begun or 0) + 0.1 == pytest.approx(each.ended) for each in last)

    run_virtual(main())


def _limits_of(request: Request) -> LaneLimits:
    return {CLAIM: CLAIMS, LOGS: TRANSFERS, LIST: INTERACTIVE}[request.path]
