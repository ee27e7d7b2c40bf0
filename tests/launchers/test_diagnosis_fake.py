"""Diagnoses of every event that the fake cluster can produce.

Its causes and their traces follow the order of a real cluster.
"""

import json
from typing import Any

import pytest

from jobs.contract import FailureReason as R
from jobs.diagnosis.kubernetes import (
    Diagnosis,
    diagnose,
    reduce_event,
    reduce_job,
    reduce_pod,
)
from tests.fakes.kubernetes.api import Api
from tests.fakes.kubernetes.cluster import Cluster, Settings
from tests.fakes.kubernetes.http import Request
from tests.fakes.kubernetes.resources import EVENTS, JOBS, PODS
from tests.fakes.kubernetes.scripts import Act, PodScript, Start
from tests.fakes.support import plain_job

PATH = "/apis/batch/v1/namespaces/mimir-aip/jobs"


class Watched:
    """Cluster with one worker, `one`, and the pods that a reconciler has stored."""

    def __init__(self, script: PodScript) -> None:
        self.cluster = Cluster(Settings(nodes=("node1",)))
        self.cluster.scripts.put("one", script)
        self._call("POST", PATH, plain_job("one", activeDeadlineSeconds=600))
        self.kept: list[dict[str, Any]] = []
        self.keep()

    def _call(self, method: str, path: str, body: Any) -> None:
        Api(self.cluster).handle(Request(method, path, {}, {}, json.dumps(body).encode()))

    def keep(self) -> None:
        self.kept.extend(reduce_pod(version.obj) for version in self.cluster.store.all(PODS))

    def delete_job(self) -> None:
        self._call("DELETE", f"{PATH}/one", {"propagationPolicy": "Background"})

    def told(self) -> Diagnosis | None:
        job = next((reduce_job(version.obj) for version in self.cluster.store.all(JOBS)), None)
        pods = [reduce_pod(version.obj) for version in self.cluster.store.all(PODS)]
        events = [reduce_event(version.obj) for version in self.cluster.store.all(EVENTS)]
        return diagnose(job, pods, events, kept=self.kept)

    def category(self) -> R | None:
        told = self.told()
        return told.category if told else None


STARTS: dict[Start, R | None] = {
    Start.RUNS: None,
    Start.HOLD: R.STARTING,
    Start.QUOTA: R.QUOTA_EXCEEDED,
    Start.LIMIT_RANGE: R.LIMIT_RANGE,
    Start.POD_SECURITY: R.POD_SECURITY,
    Start.WEBHOOK: R.ADMISSION_DENIED,
    Start.NO_SERVICE_ACCOUNT: R.MISSING_SERVICE_ACCOUNT,
    Start.NO_CPU: R.UNSCHEDULABLE_CPU,
    Start.NO_MEMORY: R.UNSCHEDULABLE_MEMORY,
    Start.NO_GPU: R.UNSCHEDULABLE_GPU,
    Start.NO_NODE_MATCHES: R.UNSCHEDULABLE_SELECTOR,
    Start.TAINTED: R.UNSCHEDULABLE_TAINT,
    Start.NO_CLAIM: R.MISSING_VOLUME_CLAIM,
    Start.UNBOUND_CLAIM: R.VOLUME_UNBOUND,
    Start.IMAGE_NOT_FOUND: R.IMAGE_NOT_FOUND,
    Start.PULL_DENIED: R.IMAGE_PULL_DENIED,
    Start.REGISTRY_UNREACHABLE: R.REGISTRY_UNREACHABLE,
    Start.BAD_IMAGE_NAME: R.IMAGE_NAME_INVALID,
    Start.NEVER_PULL: R.IMAGE_NEVER_PULL,
    Start.PULLING: R.IMAGE_PULLING,
    Start.NO_SECRET: R.MISSING_SECRET,
    Start.NO_CONFIG_MAP: R.MISSING_CONFIG_MAP,
    Start.MOUNT_FAILED: R.MOUNT_FAILED,
    Start.SANDBOX_FAILED: R.NETWORK_FAILED,
    Start.BAD_COMMAND: R.BAD_COMMAND,
}
ACTS: dict[Act, R | None] = {
    Act.EXIT: R.EXIT_CODE,
    Act.OUT_OF_MEMORY: R.OUT_OF_MEMORY,
    Act.EVICT_MEMORY: R.EVICTED_MEMORY,
    Act.EVICT_DISK: R.EVICTED_DISK,
    Act.EVICT_EMPTY_DIR: R.EVICTED_DISK_LIMIT,
    Act.EVICT_REQUEST: R.EVICTED_BY_REQUEST,
    Act.PREEMPT: R.PREEMPTED,
    Act.NODE_SHUTDOWN: R.NODE_SHUTDOWN,
    Act.DELETE: R.DELETED_BY_HAND,
    Act.FORCE_DELETE: R.DELETED_BY_HAND,
}


def test_every_action_of_the_fake_is_covered() -> None:
    assert set(STARTS) == set(Start)
    assert set(ACTS) | {Act.START} == set(Act)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("seconds", [0, 5, 120])
def test_the_cause_of_a_waiting_worker_is_reported_until_it_is_fixed(
    start: Start, seconds: int
) -> None:
    watched = Watched(PodScript(start))
    watched.cluster.advance(seconds)
    assert watched.category() is STARTS[start]

    watched.cluster.act("one", Act.START)

    assert start is Start.BAD_COMMAND or watched.category() is None


@pytest.mark.parametrize("act", ACTS)
def test_the_cause_of_an_ended_worker_is_reported(act: Act) -> None:
    watched = Watched(PodScript())
    watched.cluster.act("one", act, exit_code=3)
    assert watched.category() is ACTS[act]


@pytest.mark.parametrize("act", [act for act in ACTS if act not in (Act.OUT_OF_MEMORY, Act.EXIT)])
def test_the_cause_of_an_ended_worker_is_reported_if_it_ignores_sigterm(act: Act) -> None:
    watched = Watched(PodScript(stop_seconds=None))
    watched.cluster.act("one", act)
    watched.keep()
    assert watched.category() is ACTS[act]
    watched.cluster.advance(40)
    assert watched.category() is ACTS[act]


@pytest.mark.parametrize(
    "start", [start for start in STARTS if start not in (Start.RUNS, Start.HOLD, Start.BAD_COMMAND)]
)
def test_a_wait_ended_by_the_job_deadline_is_reported_as_the_cause(start: Start) -> None:
    watched = Watched(PodScript(start))
    watched.cluster.advance(10)
    watched.keep()
    watched.cluster.advance(700)
    told = watched.told()
    assert told is not None
    assert (told.category, told.waiting, told.stuck) == (STARTS[start], False, False)


def test_each_stage_of_a_silent_node_is_reported() -> None:
    watched = Watched(PodScript())
    watched.cluster.kubelets.node_lost("node1")
    watched.cluster.advance(60)
    away = watched.told()
    assert away is not None
    assert (away.category, away.waiting) == (R.NODE_LOST, True)

    watched.cluster.advance(240)
    watched.keep()
    given_up = watched.told()
    assert given_up is not None
    assert (given_up.category, given_up.waiting) == (R.NODE_LOST, False)

    watched.cluster.kubelets.node_back("node1")
    watched.cluster.advance(0)
    assert watched.category() is R.NODE_LOST


def test_a_node_that_returns_in_time_is_not_reported() -> None:
    watched = Watched(PodScript())
    watched.cluster.kubelets.node_lost("node1")
    watched.cluster.advance(60)
    watched.cluster.kubelets.node_back("node1")
    watched.cluster.advance(5)
    assert watched.category() is None


def test_a_deleted_job_is_reported_as_deleted() -> None:
    watched = Watched(PodScript())
    watched.delete_job()
    watched.cluster.advance(40)
    assert watched.category() is R.DELETED_BY_HAND
