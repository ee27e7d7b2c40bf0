"""Two clusters.

An unreachable one gets no new work, and its workers are not declared lost.
"""

from collections.abc import Iterator
from unittest import mock

import pytest

from jobs.admission.waiting import job_waiting
from jobs.clusters.launchers.base import Target
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.contract import JobStatus, WaitRule
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.known_state import KnownState
from mimir.lib.clock import utc_now
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.scenarios.building import world
from tests.scenarios.troubles import Phase
from tests.scenarios.workers import Workers
from tests.scenarios.world import Scenario, World
from tests.support import make
from tests.support.reconciling import reconcile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


class Two:
    """The cluster `local` of `run`, and a cluster `eu` with another API server."""

    def __init__(self, run: World, other: FakeKubernetes) -> None:
        other.reset(now=run.clock.now)
        self.run, self.other, self.known = run, other, KnownState()
        capacity = {"capacity_jobs": 10, "capacity_cpu_millicores": 0, "capacity_memory_bytes": 0}
        self.eu = Cluster.objects.create(
            name="eu", region="eu", launcher="kubernetes", reached_at=utc_now(), **capacity
        )
        target = Target(
            context="fake",
            kubeconfig_file=str(other.kubeconfig),
            namespace=other.namespace,
            timeout_seconds=2,
        )
        template = WorkerTemplate(
            installation=str(self.eu.installation), image="mimir-aip/worker:latest"
        )
        self.launcher = KubernetesLauncher(target, template, follow=False, now=run.clock.utc_now)
        self.workers = Workers(other, run.dice, {})

    def rounds(self, count: int, *, seconds: float = 30.0, workers_act: bool = True) -> None:
        """Run `count` rounds on both clusters."""
        for _ in range(count):
            self.run.advance(seconds)
            self.other.advance_to(self.run.clock.now)
            self.run.round(workers_act=workers_act)
            if workers_act:
                self.workers.act(self.other.ledger(running=True, env=True), set())
            try:
                reconcile(self.eu, self.launcher, self.known)
            except OSError:
                continue


@pytest.fixture(scope="module")
def fakes() -> Iterator[tuple[FakeKubernetes, FakeKubernetes]]:
    with FakeKubernetes() as one, FakeKubernetes() as other:
        yield one, other


@pytest.fixture
def two(fakes: tuple[FakeKubernetes, FakeKubernetes]) -> Iterator[Two]:
    with world(fakes[0], [Scenario(None, Phase.RUNNING)], seed=1) as run:
        both = Two(run, fakes[1])
        launchers = {"local": run.launcher, "eu": both.launcher}
        with mock.patch(
            "jobs.dispatch.launch.launcher_of", lambda cluster: launchers[cluster.name]
        ):  # noqa: PT008 - it depends on the cluster
            both.rounds(12, seconds=2)
            yield both


def test_a_job_runs_on_the_cluster_or_in_the_region_that_it_asks_for(two: Two) -> None:
    jobs = [make.job(cluster="eu"), make.job(region="eu"), make.job(cluster="local")]
    two.rounds(12, seconds=2)
    placed = dict(Attempt.objects.values_list("job_id", "cluster_id"))
    assert [placed[job.id] for job in jobs] == ["eu", "eu", "local"]
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.SUCCEEDED}
    assert two.other.counts() == two.run.fake.counts() == {"jobs": 0, "pods": 0}


def test_what_runs_on_a_cluster_that_is_away_is_not_declared_dead(two: Two) -> None:
    silent, busy = make.job(cluster="eu"), make.job(cluster="eu")
    two.rounds(2, seconds=2)
    assert set(
        Job.objects.filter(id__in=[silent.id, busy.id]).values_list("status", flat=True)
    ) == {JobStatus.RUNNING}
    two.other.fault(Fault.DROP_BEFORE_COMMIT, count=None)
    # the cluster is known to be unreachable from here on
    two.rounds(1, seconds=2, workers_act=False)
    waits, goes = make.job(cluster="eu"), make.job()
    held = {each.id for each in Attempt.objects.filter(job=silent)}
    for _ in range(15):
        two.rounds(1, workers_act=False)
        two.workers.act(two.other.ledger(running=True, env=True), held)
        two.run.workers.act(two.run.fake.ledger(running=True, env=True), set())
    status = dict(Job.objects.values_list("id", "status"))
    assert status[silent.id] == JobStatus.RUNNING, (
        "nobody has seen it end, and its cluster's grace is not over"
    )
    assert status[busy.id] == JobStatus.SUCCEEDED, "its worker told us itself"
    assert (status[waits.id], status[goes.id]) == (JobStatus.QUEUED, JobStatus.SUCCEEDED)
    waits.refresh_from_db()
    beat_record(component="dispatcher")
    assert job_waiting([waits])[waits.id]["blocked_by"] == WaitRule.CLUSTER_UNREACHABLE
    two.other.clear_faults()
    two.rounds(15, seconds=2)
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.SUCCEEDED}
    assert two.other.counts() == {"jobs": 0, "pods": 0}
    assert not Attempt.objects.filter(number__gt=1).exists()
