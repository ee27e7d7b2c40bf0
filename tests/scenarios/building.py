"""Creation of a world: an installation, a cluster, and a job for each scenario."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings

from jobs.clusters.rows import cluster_ensure
from jobs.core.resources import GIB
from jobs.dispatch import launch_outcome
from jobs.models import Attempt, Cluster
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.clock import VirtualClock, virtual_time
from tests.scenarios.places import launcher_at, place_of
from tests.scenarios.troubles import (
    OF_CLUSTERS,
    OF_NODES,
    Phase,
)
from tests.scenarios.workers import Workers
from tests.scenarios.world import BEGAN, PACE, Scenario, World
from tests.support import make

# `memory_max` of a job with 1 GiB, and the memory that its work needs, by turns
MEMORY: tuple[tuple[str | None, int], ...] = (
    (None, 0),
    ("4Gi", 0),  # only killed by the trouble
    ("6Gi", 3 * GIB),  # succeeds with 4 GiB, in the third attempt
    (None, 0),
    ("3Gi", 8 * GIB),  # never enough
)


@contextmanager
def world(
    fake: FakeKubernetes, scenarios: list[Scenario], *, seed: int, follow: bool = False
) -> Iterator[World]:
    """Create an installation and a cluster, with one job for each of `scenarios`."""
    dice, clock = random.Random(seed), VirtualClock(BEGAN)  # noqa: S311 - the same dice for the same seed
    fake.reset(seed=seed, now=BEGAN)
    env = replace(
        settings.ENV,
        orphan_grace=60,
        kubeconfig_file=str(fake.kubeconfig),
        capacity_jobs=10_000,
        retry_back_off=1.0,
    )
    with ExitStack() as stack:
        stack.enter_context(virtual_time(clock))
        stack.enter_context(mock.patch.object(settings, "ENV", env))
        stack.enter_context(
            mock.patch("jobs.clusters.launchers.kubernetes.mirror.SILENCE_SECONDS", 0.3)
        )
        stack.enter_context(
            mock.patch("jobs.clusters.launchers.kubernetes.mirror.RETRY_SECONDS", 0.02)
        )
        cluster = cluster_ensure()
        Cluster.objects.filter(name=cluster.name).update(
            launcher="kubernetes", capacity_jobs=10_000
        )
        cluster.refresh_from_db()
        launcher = launcher_at(fake, cluster, clock, follow=follow)
        stack.callback(launcher.close)
        created = World(fake, clock, dice, launcher, cluster, Workers(fake, dice, {}), scenarios)
        stack.enter_context(mock.patch("jobs.dispatch.launch.launcher_of", created.launcher_of))
        for gap in (
            "jobs.liveness.uptime.GAP_SECONDS",
            "jobs.clusters.rows.OBSERVATION_GAP_SECONDS",
        ):
            stack.enter_context(mock.patch(gap, 2 * PACE[-1]))  # seconds between rounds
        stack.enter_context(mock.patch("jobs.dispatch.launch.record_launched", _forgetful(created)))
        _submit(created)
        yield created


def _submit(created: World) -> None:
    """Submit the jobs. A job that loses its node runs on a separate one."""
    succeeds: dict[UUID, bool] = {}
    needs: dict[UUID, int] = {}
    for index, scenario in enumerate(created.scenarios):
        memory_max, needs_bytes = MEMORY[index % len(MEMORY)]
        if scenario.trouble in OF_CLUSTERS:
            scenario.place = f"c{index}"
            created.places[scenario.place] = place_of(created.fake, created.clock, scenario.place)
        resources = {"memory": "1Gi", "memory_max": memory_max}
        row = make.job(
            max_attempts=2, timeout_seconds=3600, cluster=scenario.place, resources=resources
        )
        scenario.job_id = row.id
        succeeds[row.id] = scenario.succeeds
        # A killed worker finishes nothing and sends no heartbeat: these scenarios need both.
        needs_both = scenario.phase is Phase.FINISHING or scenario.trouble in OF_CLUSTERS
        needs[row.id] = 0 if needs_both else needs_bytes
        if index % 4 == 3:
            created.fake.script(f"worker-job-{row.id}-*", sidecar=True)
        if scenario.trouble in OF_NODES:
            created.fake.add_node(created.node_of(scenario))
            created.fake.script(
                f"worker-job-{row.id}-1", node=created.node_of(scenario), stop_seconds=1.0
            )
    created.workers = Workers(created.fake, created.dice, succeeds)
    created.workers.needs_bytes = needs


def _forgetful(created: World) -> Any:
    """Return a record of launches that skips some attempts, each once.

    Their dispatcher dies between the response and the record.
    """
    real = launch_outcome.record_launched

    def record(launched: Any) -> None:
        kept = {}
        for attempt_id, answer in launched.items():
            job_id = Attempt.objects.values_list("job_id", flat=True).get(id=attempt_id)
            forget = job_id in {
                each.job_id
                for each in created.scenarios
                if each.phase is Phase.UNRECORDED and each.order is None
            }
            if forget and attempt_id not in created.unrecorded:
                created.unrecorded.add(attempt_id)
            else:
                kept[attempt_id] = answer
        real(kept)

    return record
