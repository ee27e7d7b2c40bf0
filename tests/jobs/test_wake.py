"""Wakes of the dispatcher: one for many changes, and none that a job depends on."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections, transaction
from redis import Redis

from jobs.clusters.rows import cluster_ensure
from jobs.contract import PRIORITIES, JobStatus
from jobs.core import hints, queue
from jobs.core.hints import Operation
from jobs.core.transition import attempt_lock
from jobs.dispatch import dispatcher
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.apply import gone_record
from tests.support import make

pytestmark = [pytest.mark.usefixtures("servers"), pytest.mark.django_db(transaction=True)]
MARK_SECONDS = queue.WAKE_MARK_SECONDS


@pytest.fixture(autouse=True)
def _long_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mark expires during a test, however slow the machine is."""
    monkeypatch.setattr(queue, "WAKE_MARK_SECONDS", 60.0)


@pytest.fixture
def redis() -> Iterator[Redis]:
    client = Redis.from_url(settings.ENV.redis_url)
    client.flushdb()
    yield client
    client.flushdb()


def _sent(redis: Redis) -> int:
    """Return the number of messages that wait for the dispatcher."""
    lengths: list[int] = [redis.llen(f"rq:queue:mimir-{each}") for each in PRIORITIES]  # type: ignore[misc]
    return sum(lengths)


def _serve(wake: Callable[..., None] = lambda *_: None) -> None:
    """Run the dispatcher's worker until no message waits."""
    operations = {Operation.WAKE: wake, Operation.LAUNCH: lambda *_: None}
    queue.worker(operations).work(burst=True, logging_level="CRITICAL")


def _no_slot() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=0)


def test_many_jobs_submitted_between_two_passes_are_one_wake(redis: Redis) -> None:
    make.project()
    _no_slot()
    for priority in [*PRIORITIES, *PRIORITIES]:
        make.job(priority=priority)
    assert _sent(redis) == 1
    passes: list[str] = []
    _serve(passes.append)
    assert len(passes) == 1
    make.job()
    assert _sent(redis) == 1, "jobs of the time after the pass have a wake of their own"


def test_one_pass_starts_all_jobs_of_its_wake(redis: Redis) -> None:
    make.project()
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=8)
    jobs = [make.job(priority=each) for each in PRIORITIES]
    assert _sent(redis) == 1
    _serve(dispatcher.wake)
    launching = Job.objects.filter(status=JobStatus.LAUNCHING).values_list("id", flat=True)
    assert sorted(launching) == sorted(job.id for job in jobs)


def test_a_job_submitted_during_a_pass_has_a_wake_of_its_own(redis: Redis) -> None:
    """The mark is removed before the pass begins: the pass may have read the queue already."""
    passes: list[int] = []

    def wake(*_: Any) -> None:
        passes.append(len(passes))
        if len(passes) == 1:
            queue.wake("low")

    queue.wake("normal")
    _serve(wake)
    assert len(passes) == 2


def test_a_mark_left_by_a_killed_process_expires_and_the_sweep_starts_the_job(
    redis: Redis,
) -> None:
    make.project()
    cluster_ensure()
    assert queue._wake_mark(), "killed here, before the message"
    job = make.job()
    assert _sent(redis) == 0
    assert 0 < int(redis.pttl(queue.WAKE_MARK)) <= 1000 * queue.WAKE_MARK_SECONDS  # type: ignore[arg-type]
    launches = dispatcher.Launches()
    dispatcher.sweep_once(launches)
    assert Attempt.objects.filter(job=job).exists()
    redis.pexpire(queue.WAKE_MARK, 0)
    queue.wake("normal")
    assert _sent(redis) > 0
    assert settings.ENV.sweep_seconds > MARK_SECONDS, "a left mark costs less than a lost message"


def test_a_later_wake_never_makes_a_mark_last_longer(redis: Redis) -> None:
    queue._wake_mark()
    redis.pexpire(queue.WAKE_MARK, 200)
    queue.wake("normal")
    assert int(redis.pttl(queue.WAKE_MARK)) <= 200  # type: ignore[arg-type]


def test_redis_emptied_between_mark_and_message_loses_no_wake(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:

    def emptied(*arguments: Any, **named: Any) -> str:
        redis.flushdb()
        return hints.sealed(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(queue, "sealed", emptied)
        queue.wake("normal")
    assert _sent(redis) == 1
    queue.wake("normal")
    assert _sent(redis) == 2, "without a mark the next one is sent as well"
    passes: list[str] = []
    _serve(passes.append)
    assert len(passes) == 2


def test_redis_emptied_after_the_message_costs_no_later_wake(redis: Redis) -> None:
    queue.wake("normal")
    redis.flushdb()
    queue.wake("normal")
    assert _sent(redis) == 1


def test_a_launch_is_sent_whatever_waits(redis: Redis) -> None:
    attempt = make.admitted()
    redis.flushdb()
    queue.wake("normal")
    queue.launch([attempt.id], "normal")
    assert _sent(redis) == 2


def test_a_job_submitted_while_a_worker_goes_is_woken_by_one_of_the_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The job is committed before the slot is free, and its own pass finds none.

    The end of the worker must read the queue after its commit, not before.
    """
    make.project()
    attempt = make.claimed()
    make.finish(attempt)
    woken: list[str] = []
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt.id)
        gone_record(job=job, attempt=attempt)
        _in_another_thread(make.job)
        monkeypatch.setattr(queue, "wake", woken.append)
    assert woken == ["normal"]


def test_the_end_of_a_worker_wakes_nobody_if_no_job_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = make.claimed()
    make.finish(attempt)
    woken: list[str] = []
    monkeypatch.setattr(queue, "wake", woken.append)
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt.id)
        gone_record(job=job, attempt=attempt)
    assert woken == []


def _in_another_thread(act: Callable[[], object]) -> None:
    """Run `act` on a database connection of its own, until it is done."""

    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
