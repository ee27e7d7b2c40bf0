"""Real processes with a slow PostgreSQL, a web process that refuses, and one that is suspended."""

from pathlib import Path

import pytest

from jobs.contract import HEARTBEAT_SECONDS, EventKind, JobStatus
from jobs.models import Attempt, Job, JobEvent
from tests.chaos.beside import stopped
from tests.serving.slow_world import SLOTS, Phase, World, slow_world

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]
JOBS = 20
SLOW_SECONDS, LATENCY_SECONDS = 15.0, 0.15
REFUSING_SECONDS, STOPPED_SECONDS = 4.0, 20.0
RETURN_SECONDS = 60.0
# A worker's threads: one claims, transfers and finishes; the others send reports and the log.
THREADS = 3
# A claim, a finish, and the parts of events and log of a job with one step.
CALLS_OF_A_JOB = 12
RETRY_SECONDS = 1.0  # the least Retry-After of web


def calls_max(phase: Phase) -> float:
    """Return the maximum number of calls that the protocol allows in a phase with failures.

    Every attempt makes the calls of a job once. A worker sends heartbeats, and each of its threads
    repeats a refused call no sooner than web requests.
    """
    of_jobs = phase.attempts * (CALLS_OF_A_JOB + THREADS)
    return of_jobs + SLOTS * phase.seconds * (1 / HEARTBEAT_SECONDS + THREADS / RETRY_SECONDS)


def _slow(world: World) -> None:
    world.database.latency_seconds = LATENCY_SECONDS
    slow = world.pass_seconds("slow database", SLOW_SECONDS)
    world.database.latency_seconds = 0.0
    assert 0 < slow.calls.total() <= calls_max(slow)


def _refused(world: World) -> None:
    world.calls.refuses = True
    refused = world.pass_seconds("refusing web", REFUSING_SECONDS)
    world.calls.refuses = False
    assert refused.attempts >= SLOTS
    assert refused.calls.total() <= calls_max(refused)


def _stopped(world: World) -> None:
    with stopped(world.web.pid):
        away = world.pass_seconds("stopped web", STOPPED_SECONDS)
    assert away.calls.total() <= calls_max(away)


def test_a_slow_database_and_a_web_that_is_away_cost_time_and_nothing_else(
    tmp_path: Path,
) -> None:
    with slow_world(tmp_path) as world:
        world.submit(JOBS, "sleep 0.5")
        world.wait_succeeded(SLOTS, 60)
        _slow(world)
        world.wait_succeeded(JOBS, RETURN_SECONDS)
        world.submit(SLOTS, "sleep 3")
        world.wait_running(SLOTS)
        _refused(world)
        _stopped(world)
        world.wait_succeeded(JOBS + SLOTS, RETURN_SECONDS)
        assert set(world.runs().values()) == {1}, "a job ran twice"
        assert len(world.runs()) == Job.objects.count()
    statuses = set(Job.objects.values_list("status", "reason", "attempts_used"))
    assert statuses == {(JobStatus.SUCCEEDED, "", 1)}
    assert Attempt.objects.count() == Job.objects.count(), "a job was launched twice"
    assert not Attempt.objects.exclude(reason="").exists()
    assert not JobEvent.objects.filter(kind=EventKind.ATTEMPT_ENDED).exists()
