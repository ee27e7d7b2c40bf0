"""A forecast of starts agrees with the later decisions of admission, in virtual time."""

import datetime as dt
import random
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from jobs.admission.admit import admit_once
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus, Priority
from jobs.lifecycle.submit import JobFields, RequestedResources, job_check
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job
from jobs.queries.job_start import job_start
from mimir.lib.clock import utc_now
from projects.models import Project
from tests.scenarios.clock import VirtualClock, virtual_time
from tests.scenarios.world import BEGAN
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

USUAL_SECONDS = {"demo": 60.0, "other": 90.0}
TICK_SECONDS, OFF_SECONDS = 2.0, 4.0
SIZES: tuple[RequestedResources, ...] = ({}, {"memory": "6Gi"}, {"memory": "10Gi"})


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    clock = VirtualClock(BEGAN)
    with virtual_time(clock):
        yield clock


def _installation() -> list[Project]:
    """Two projects with usual durations, and a cluster that holds three jobs."""
    cluster_ensure()
    Cluster.objects.update(
        capacity_jobs=3, capacity_cpu_millicores=0, capacity_memory_bytes=16 * 2**30
    )
    projects = [make.project(slug) for slug in USUAL_SECONDS]
    for project in projects:
        ended = make.job(project)
        seconds = dt.timedelta(seconds=USUAL_SECONDS[project.slug])
        Job.objects.filter(id=ended.id).update(
            status=JobStatus.SUCCEEDED, started_at=utc_now() - seconds, finished_at=utc_now()
        )
    return projects


def _tick(clock: VirtualClock) -> None:
    """End the jobs that reached their usual duration, admit others, and let their workers claim."""
    clock.advance_to(clock.now + TICK_SECONDS)
    beat_record(component="dispatcher")
    now = utc_now()
    for attempt in Attempt.objects.filter(gone_at=None).select_related("job__project"):
        seconds = USUAL_SECONDS[attempt.job.project.slug]
        if (now - attempt.created_at).total_seconds() > seconds - TICK_SECONDS / 2:
            Attempt.objects.filter(id=attempt.id).update(ended_at=now, gone_at=now)
            Job.objects.filter(id=attempt.job_id).update(
                status=JobStatus.SUCCEEDED, finished_at=now
            )
    for attempt_id in admit_once(hint=False):
        Attempt.objects.filter(id=attempt_id).update(claim_id=uuid4())
        Job.objects.filter(attempts=attempt_id).update(status=JobStatus.RUNNING, started_at=now)


@pytest.mark.parametrize("seed", range(3))
def test_jobs_start_when_they_were_expected_to(clock: VirtualClock, seed: int) -> None:
    dice = random.Random(seed)
    projects = _installation()
    for _ in range(14):
        make.job(
            dice.choice(projects),
            priority=dice.choice([Priority.NORMAL, Priority.HIGH]),
            resources=dice.choice(SIZES),
        )
        if dice.random() < 0.5:
            _tick(clock)
    for _ in range(20):
        _tick(clock)

    request: JobFields = {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "echo"},
        "resources": {"memory": "8Gi"},
    }
    start = job_start(project=projects[0], checked=job_check(project=projects[0], **request))
    last = make.job(projects[0], **request)
    queued = list(Job.objects.filter(status=JobStatus.QUEUED).select_related("project"))
    estimates = {job_id: each["estimate_seconds"] for job_id, each in job_waiting(queued).items()}
    assert estimates[last.id] == pytest.approx(start["estimate_seconds"], abs=1)
    began = clock.now
    while Job.objects.filter(status=JobStatus.QUEUED).exists():
        assert clock.now - began < 3000, "not all jobs have started"
        _tick(clock)
    started = dict(Attempt.objects.values_list("job_id", "created_at"))
    real: dict[UUID, float] = {job_id: started[job_id].timestamp() - began for job_id in estimates}
    assert estimates == {
        job_id: pytest.approx(seconds, abs=OFF_SECONDS) for job_id, seconds in real.items()
    }
    assert max(real.values()) > 100
