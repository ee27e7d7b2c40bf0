"""Duplicate bytes at the worst moment: a chunk in flight, a log being sealed, a second sealer."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.chaos.beside import (
    RECONCILER_WITHOUT_LEASE,
    WorkerCopy,
    beside,
    kill_worker,
    lines,
    log_objects,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("stored", ["the worker's own", "the other"])
def test_two_copies_of_a_chunk_in_flight_are_stored_once(stack: Stack, stored: str) -> None:
    """One copy is appended without a response, the other is in flight.

    Then the server dies while it handles both.
    """
    held = "log.after_append_before_answer" if stored == "the worker's own" else "log.before_append"
    stack.arm(held, "hold")
    job = stack.submit_oracle(r"printf 'one\ntwo\n'; sleep 1; echo three")
    stack.wait_hit(held)
    copy = WorkerCopy(stack, job)
    chunk = copy.chunk()
    other = (
        "log.before_append" if stored == "the worker's own" else "log.after_append_before_answer"
    )
    stack.arm(other, "hold")
    with ThreadPoolExecutor() as pool:
        second = pool.submit(copy.append, 0, chunk)
        stack.wait_hit(other)
        stack.kill("web")
        assert isinstance(second.exception(60), httpx.HTTPError), (
            "it was answered: it was not in flight"
        )
    stack.assert_whole(job)
    assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == (
        "true",
        ["one", "two", "three"],
    )


def test_the_second_of_two_copies_receives_the_log_size(stack: Stack) -> None:
    stack.arm("log.before_append", "hold")
    job = stack.submit_oracle(r"printf 'one\ntwo\n'")
    stack.wait_hit("log.before_append")
    copy = WorkerCopy(stack, job)
    chunk = copy.chunk()
    first, second = copy.append(0, chunk), copy.append(0, chunk)
    stack.release("log.before_append")
    assert (first.status_code, first.json()) == (200, {"end": len(chunk)})
    assert (second.status_code, second.json()["code"], second.json()["detail"]) == (
        409,
        "wrong_offset",
        {"end": len(chunk)},
    )
    stack.assert_whole(job)
    assert lines(stack, job) == ["one", "two"]


def test_an_append_between_a_sealers_read_and_its_pointer_is_refused(stack: Stack) -> None:
    """A killed worker's last request arrives after the log is closed and the sealer has read it."""
    stack.arm("log.before_append", "hold")
    stack.arm("log.seal_reader", "hold")
    job = stack.submit_oracle(
        f'[ "$(grep -c "^$JOB_ID " {stack.oracle})" = 2 ] || {{ echo one; sleep 60; }}'
    )
    stack.wait_hit("log.before_append")
    copy = WorkerCopy(stack, job)
    kill_worker(stack, job)
    stack.wait_hit("log.seal_reader")
    stack.release("log.before_append")
    end = int(stack.log(job, attempt=1, limit=0).headers["Log-End"])
    refused = copy.append(end, b"2026-01-01T00:00:00.000000000Z stdout F late\n")
    stack.release("log.seal_reader")
    assert (refused.status_code, refused.json()["code"]) == (410, "log_closed")
    stack.assert_whole(job)
    found = lines(stack, job, attempt=1)
    assert (found[:1], len(found)) == (["one"], 2)
    assert found[1].startswith("mimir: ")
    assert stack.log(job, attempt=1).headers["Log-Complete"] == "false"


def test_a_second_sealer_leaves_one_object(stack: Stack) -> None:
    """The first sealer stops before the pointer, the second seals, then the first continues."""
    point = "log.after_object_before_pointer"
    with beside(stack, "reconciler", "-c", RECONCILER_WITHOUT_LEASE):
        stack.arm(point, "hold")
        job = stack.submit_oracle("echo one; echo two")
        stack.wait_hit(point)
        attempt = next(iter(stack.ran(job)))
        wait_for(
            lambda: not [name for name in stack.workers() if job in name],
            "the second has sealed the log, and cleaned up",
        )
        assert len(log_objects(stack, attempt)) == 2, "the first sealer wrote no object"
        stack.release(point)
        wait_for(
            lambda: len(log_objects(stack, attempt)) == 1, "the first has removed what it wrote"
        )
        stack.assert_whole(job)
        assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == (
            "true",
            ["one", "two"],
        )
