"""Kubernetes launcher with an API server over HTTP: create once, adopt, refuse, remove."""

from dataclasses import replace
from uuid import uuid4

import pytest

from jobs.clusters.launchers.base import (
    LaunchLater,
    LaunchRefused,
    LaunchUncertain,
)
from jobs.clusters.launchers.kubernetes.client import Unconfigured
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.contract import FailureReason
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.launchers.kubernetes_launch import launch, launcher_for, observe, spec_of


def test_a_worker_is_created_observed_and_ends(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = spec_of()
    uid = launch(launcher, spec)
    observed = observe(launcher, spec)
    assert observed is not None
    assert (observed.uid, observed.alive, observed.name) == (uid, True, spec.name)
    fake.exit(spec.name, 0)
    observed = observe(launcher, spec)
    assert observed is not None
    assert (observed.alive, observed.exit_code) == (False, 0)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 0, "pods": 0}


def test_a_repeated_launch_adopts_the_one_that_is_there(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = spec_of()
    uid = launch(launcher, spec)
    again = launcher.launch(spec, still_wanted=lambda: True)
    assert (again.uid, again.adopted) == (uid, True)
    assert len(fake.ledger()) == 1


def test_a_name_that_another_attempt_has_is_refused(launcher: KubernetesLauncher) -> None:
    spec = spec_of()
    launch(launcher, spec)
    with pytest.raises(LaunchRefused):
        launch(launcher, replace(spec, attempt_id=str(uuid4())))


AFTER_COMMIT = [Fault.ERROR_AFTER_COMMIT, Fault.DROP_AFTER_COMMIT, Fault.FORBIDDEN_AFTER_COMMIT]


@pytest.mark.parametrize("fault", AFTER_COMMIT)
def test_an_answer_that_is_lost_or_wrong_is_looked_up(
    fake: FakeKubernetes, launcher: KubernetesLauncher, fault: Fault
) -> None:
    spec = spec_of()
    fake.fault(fault, verb="create", resource="jobs")
    launched = launcher.launch(spec, still_wanted=lambda: True)
    assert launched.adopted
    assert launched.uid
    assert len(fake.ledger()) == 1


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_BEFORE_COMMIT, Fault.DROP_BEFORE_COMMIT, Fault.LATE_COMMIT]
)
def test_a_launch_that_may_still_come_is_uncertain(
    fake: FakeKubernetes, launcher: KubernetesLauncher, fault: Fault
) -> None:
    spec = spec_of()
    fake.fault(fault, verb="create", resource="jobs", seconds=60)
    with pytest.raises(LaunchUncertain):
        launch(launcher, spec)
    fake.advance(120)
    assert launch(launcher, spec)
    assert len(fake.ledger()) == 1


def test_a_429_says_when(fake: FakeKubernetes, launcher: KubernetesLauncher) -> None:
    fake.fault(Fault.TOO_MANY_REQUESTS, verb="create", resource="jobs", seconds=7)
    with pytest.raises(LaunchLater) as later:
        launch(launcher, spec_of())
    assert later.value.seconds == 7


def test_a_quota_is_a_reported_wait(fake: FakeKubernetes, launcher: KubernetesLauncher) -> None:
    fake.fault(Fault.QUOTA, verb="create", resource="jobs")
    with pytest.raises(LaunchLater) as later:
        launch(launcher, spec_of())
    assert later.value.diagnosis
    assert later.value.diagnosis["category"] == FailureReason.QUOTA_EXCEEDED


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.INVALID])
def test_a_refusal_says_what_the_cluster_said(
    fake: FakeKubernetes, launcher: KubernetesLauncher, fault: Fault
) -> None:
    fake.fault(fault, verb="create", resource="jobs", message="the words of the cluster")
    with pytest.raises(LaunchRefused, match="the words of the cluster"):
        launch(launcher, spec_of())


HUNG = [
    'Internal error occurred: failed calling webhook "mutate.example.com": failed to call '
    'webhook: Post "https://x.ns.svc:443/mutate?timeout=10s":'
    " context deadline exceeded",
    'Internal error occurred: failed calling webhook "mutate.example.com": Post '
    'https://x.ns.svc:443/: no endpoints available for service "x"',
    'Internal error occurred: failed calling admission webhook "mutate.example.com": Post '
    "https://x/: net/http: request canceled (Client.Timeout)",
]


@pytest.mark.parametrize("words", HUNG)
def test_a_webhook_on_jobs_that_does_not_answer_is_named(
    fake: FakeKubernetes, launcher: KubernetesLauncher, words: str
) -> None:
    fake.fault(Fault.ERROR_BEFORE_COMMIT, verb="create", resource="jobs", message=words)
    with pytest.raises(LaunchUncertain) as waits:
        launch(launcher, spec_of())
    assert waits.value.diagnosis
    assert waits.value.diagnosis["category"] == FailureReason.ADMISSION_UNAVAILABLE
    assert '"mutate.example.com"' in waits.value.diagnosis["summary"]


@pytest.mark.parametrize("sees", [True, False])
def test_a_missing_permission_is_a_reported_wait(
    fake: FakeKubernetes, launcher: KubernetesLauncher, sees: bool
) -> None:
    fake.fault(Fault.FORBIDDEN, verb="create", resource="jobs")
    if not sees:
        fake.fault(Fault.FORBIDDEN, verb="get", resource="jobs")
    with pytest.raises(LaunchUncertain) as later:
        launch(launcher, spec_of())
    assert later.value.diagnosis
    assert later.value.diagnosis["category"] == FailureReason.CLUSTER_FORBIDDEN
    assert f"{'create' if sees else 'get'} jobs" in later.value.diagnosis["summary"]
    assert launch(launcher, spec_of())


def test_a_cluster_that_is_away_says_so(fake: FakeKubernetes) -> None:
    fake.kubeconfig.with_name("away").write_text(
        fake.kubeconfig.read_text().replace(str(fake.port), "1")
    )
    launcher = launcher_for(fake, kubeconfig_file=str(fake.kubeconfig.with_name("away")))
    with pytest.raises(OSError, match="did not answer"):
        launcher.observe()
    with pytest.raises(LaunchUncertain) as waits:
        launch(launcher, spec_of())
    assert waits.value.diagnosis
    assert waits.value.diagnosis["category"] == FailureReason.CLUSTER_UNREACHABLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"server": "http://127.0.0.1', '"server": "http://10.0.0.1'),
        ('"server": "http:', '"insecure-skip-tls-verify": true, "server": "https:'),
    ],
)
def test_every_connection_verifies_tls(fake: FakeKubernetes, old: str, new: str) -> None:
    unsafe = fake.kubeconfig.with_name("unsafe")
    unsafe.write_text(fake.kubeconfig.read_text().replace(old, new))
    with pytest.raises(Unconfigured):
        launcher_for(fake, kubeconfig_file=str(unsafe)).observe()


def test_a_worker_gets_sigterm_and_its_pod_gets_its_grace_period(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = spec_of()
    fake.script(stop_seconds=None)
    launch(launcher, spec)
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=5)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    fake.advance(31)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 0, "pods": 0}
