"""A launcher of a fake cluster, launch specifications and observations."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from jobs.clusters.launchers.base import LaunchSpec, Observation, Target
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.contract import worker_name
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.launchers.test_manifest import PLAIN
from tests.support.waiting import wait_for

TEMPLATE = WorkerTemplate(installation=str(uuid4()), image="mimir-aip/worker:latest")


def launcher_for(
    fake: FakeKubernetes, *, follow: bool = False, **options: Any
) -> KubernetesLauncher:
    target = Target(
        context="fake",
        kubeconfig_file=str(fake.kubeconfig),
        namespace=fake.namespace,
        timeout_seconds=2,
    )
    now = lambda: dt.datetime.fromtimestamp(fake.now, dt.UTC)  # noqa: E731
    return KubernetesLauncher(replace(target, **options), TEMPLATE, follow=follow, now=now)


def spec_of(number: int = 1) -> LaunchSpec:
    job_id = str(uuid4())
    return replace(
        PLAIN,
        name=worker_name(job_id, number),
        job_id=job_id,
        attempt_id=str(uuid4()),
        attempt=number,
    )


def launch(launcher: KubernetesLauncher, spec: LaunchSpec) -> str:
    return launcher.launch(spec, still_wanted=lambda: True).uid


def observe(launcher: KubernetesLauncher, spec: LaunchSpec) -> Observation | None:
    return next(
        (observed for observed in launcher.observe() if observed.attempt_id == spec.attempt_id),
        None,
    )


def in_time(condition: Callable[[], bool]) -> bool:
    try:
        return bool(wait_for(condition, "it", 15))
    except TimeoutError:
        return False
