"""Kubernetes launcher against an API server over HTTP: create once, adopt, follow, join, remove."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from jobs.clusters.launchers.base import (
    LaunchLater,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    Observation,
    Target,
)
from jobs.clusters.launchers.kubernetes.client import Answer, Unconfigured
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.manifest import WorkerTemplate
from jobs.contract import FailureReason, worker_name
from jobs.diagnosis.kubernetes import diagnose
from jobs.diagnosis.kubernetes.objects import at
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.kubernetes.scripts import Act, Start
from tests.launchers.test_manifest import PLAIN
from tests.support.waiting import wait_for

TEMPLATE = WorkerTemplate(installation=str(uuid4()), image="mimir-aip/worker:latest")


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture
def fake(cluster: FakeKubernetes) -> FakeKubernetes:
    cluster.reset()
    return cluster


def _launcher(fake: FakeKubernetes, *, follow: bool = False, **options: Any) -> KubernetesLauncher:
    target = Target(
        context="fake",
        kubeconfig_file=str(fake.kubeconfig),
        namespace=fake.namespace,
        timeout_seconds=2,
    )
    now = lambda: dt.datetime.fromtimestamp(fake.now, dt.UTC)  # noqa: E731
    return KubernetesLauncher(replace(target, **options), TEMPLATE, follow=follow, now=now)


@pytest.fixture
def launcher(fake: FakeKubernetes) -> KubernetesLauncher:
    return _launcher(fake)


def _spec(number: int = 1) -> LaunchSpec:
    job_id = str(uuid4())
    return replace(
        PLAIN,
        name=worker_name(job_id, number),
        job_id=job_id,
        attempt_id=str(uuid4()),
        attempt=number,
    )


def _launch(launcher: KubernetesLauncher, spec: LaunchSpec) -> str:
    return launcher.launch(spec, still_wanted=lambda: True).uid


def _observed(launcher: KubernetesLauncher, spec: LaunchSpec) -> Observation | None:
    return next(
        (observed for observed in launcher.observe() if observed.attempt_id == spec.attempt_id),
        None,
    )


def _in_time(ready: Callable[[], bool]) -> bool:
    try:
        return bool(wait_for(ready, "it", 15))
    except TimeoutError:
        return False


def test_a_worker_is_created_observed_and_ends(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    uid = _launch(launcher, spec)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert (observed.uid, observed.alive, observed.name) == (uid, True, spec.name)
    fake.exit(spec.name, 0)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert (observed.alive, observed.exit_code) == (False, 0)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    launcher.clean_up(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 0, "pods": 0}


def test_a_repeated_launch_adopts_the_one_that_is_there(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    uid = _launch(launcher, spec)
    again = launcher.launch(spec, still_wanted=lambda: True)
    assert (again.uid, again.adopted) == (uid, True)
    assert len(fake.ledger()) == 1


def test_a_name_that_another_attempt_has_is_refused(launcher: KubernetesLauncher) -> None:
    spec = _spec()
    _launch(launcher, spec)
    with pytest.raises(LaunchRefused):
        _launch(launcher, replace(spec, attempt_id=str(uuid4())))


AFTER_COMMIT = [Fault.ERROR_AFTER_COMMIT, Fault.DROP_AFTER_COMMIT, Fault.FORBIDDEN_AFTER_COMMIT]


@pytest.mark.parametrize("fault", AFTER_COMMIT)
def test_an_answer_that_is_lost_or_wrong_is_looked_up(
    fake: FakeKubernetes, launcher: KubernetesLauncher, fault: Fault
) -> None:
    spec = _spec()
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
    spec = _spec()
    fake.fault(fault, verb="create", resource="jobs", seconds=60)
    with pytest.raises(LaunchUncertain):
        _launch(launcher, spec)
    fake.advance(120)
    assert _launch(launcher, spec)
    assert len(fake.ledger()) == 1


def test_a_429_says_when(fake: FakeKubernetes, launcher: KubernetesLauncher) -> None:
    fake.fault(Fault.TOO_MANY_REQUESTS, verb="create", resource="jobs", seconds=7)
    with pytest.raises(LaunchLater) as later:
        _launch(launcher, _spec())
    assert later.value.seconds == 7


def test_a_quota_is_a_reported_wait(fake: FakeKubernetes, launcher: KubernetesLauncher) -> None:
    fake.fault(Fault.QUOTA, verb="create", resource="jobs")
    with pytest.raises(LaunchLater) as later:
        _launch(launcher, _spec())
    assert later.value.diagnosis
    assert later.value.diagnosis["category"] == FailureReason.QUOTA_EXCEEDED


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.INVALID])
def test_a_refusal_says_what_the_cluster_said(
    fake: FakeKubernetes, launcher: KubernetesLauncher, fault: Fault
) -> None:
    fake.fault(fault, verb="create", resource="jobs", message="the words of the cluster")
    with pytest.raises(LaunchRefused, match="the words of the cluster"):
        _launch(launcher, _spec())


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
        _launch(launcher, _spec())
    assert waits.value.diagnosis
    assert waits.value.diagnosis["category"] == FailureReason.ADMISSION_UNAVAILABLE
    assert '"mutate.example.com"' in waits.value.diagnosis["summary"]


def test_events_of_the_volume_claim_reach_its_workers(fake: FakeKubernetes) -> None:
    target = Target(
        context="fake",
        kubeconfig_file=str(fake.kubeconfig),
        namespace=fake.namespace,
        timeout_seconds=2,
    )
    spec, other = _spec(), _spec()
    with_claim = KubernetesLauncher(
        target, replace(TEMPLATE, shared_model_cache=True), follow=False
    )
    fake.script(start=Start.UNBOUND_CLAIM)
    _launch(with_claim, spec)
    _launch(_launcher(fake), other)
    words = 'storageclass.storage.k8s.io "fast" not found; failed to provision volume'
    fake.event(
        kind="PersistentVolumeClaim",
        name="model-cache-pvc",
        reason="ProvisioningFailed",
        message=words,
    )
    fake.event(
        kind="PersistentVolumeClaim",
        name="somebody-elses",
        reason="ProvisioningFailed",
        message="not this",
    )
    observed, without = _observed(with_claim, spec), _observed(with_claim, other)
    assert observed is not None
    assert observed.evidence is not None
    assert without is not None
    assert without.evidence is not None
    diagnosis = diagnose(observed.evidence.job, observed.evidence.pods, observed.evidence.events)
    assert diagnosis is not None
    assert diagnosis.category is FailureReason.VOLUME_UNBOUND
    assert "failed to provision volume" in diagnosis.detail
    assert "not this" not in diagnosis.detail
    assert not any(
        at(event, "involvedObject")["kind"] == "PersistentVolumeClaim"
        for event in without.evidence.events
    )
    known = with_claim.evidence(spec.name)
    assert known is not None
    assert known.events == observed.evidence.events


def test_a_worker_is_gone_when_its_own_container_has_ended(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    """An injected sidecar that keeps running holds no slot, and is removed with its Job."""
    spec = _spec()
    fake.script(sidecar=True)
    _launch(launcher, spec)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert observed.alive
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    fake.exit(spec.name, 3)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert (observed.alive, observed.exit_code) == (False, 3)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 1, "pods": 1}
    launcher.clean_up(spec.name, spec.attempt_id)
    fake.advance(5)
    assert fake.counts() == {"jobs": 0, "pods": 0}


@pytest.mark.parametrize("sees", [True, False])
def test_a_missing_permission_is_a_reported_wait(
    fake: FakeKubernetes, launcher: KubernetesLauncher, sees: bool
) -> None:
    fake.fault(Fault.FORBIDDEN, verb="create", resource="jobs")
    if not sees:
        fake.fault(Fault.FORBIDDEN, verb="get", resource="jobs")
    with pytest.raises(LaunchUncertain) as later:
        _launch(launcher, _spec())
    assert later.value.diagnosis
    assert later.value.diagnosis["category"] == FailureReason.CLUSTER_FORBIDDEN
    assert f"{'create' if sees else 'get'} jobs" in later.value.diagnosis["summary"]
    assert _launch(launcher, _spec())


def test_a_cluster_that_is_away_says_so(fake: FakeKubernetes) -> None:
    fake.kubeconfig.with_name("away").write_text(
        fake.kubeconfig.read_text().replace(str(fake.port), "1")
    )
    launcher = _launcher(fake, kubeconfig_file=str(fake.kubeconfig.with_name("away")))
    with pytest.raises(OSError, match="did not answer"):
        launcher.observe()
    with pytest.raises(LaunchUncertain) as waits:
        _launch(launcher, _spec())
    assert waits.value.diagnosis
    assert waits.value.diagnosis["category"] == FailureReason.CLUSTER_UNREACHABLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"server": "http://127.0.0.1', '"server": "http://10.0.0.1'),
        ('"server": "http:', '"insecure-skip-tls-verify": true, "server": "https:'),
    ],
)
def test_nobody_is_talked_to_without_tls_checks(fake: FakeKubernetes, old: str, new: str) -> None:
    unsafe = fake.kubeconfig.with_name("unsafe")
    unsafe.write_text(fake.kubeconfig.read_text().replace(old, new))
    with pytest.raises(Unconfigured):
        _launcher(fake, kubeconfig_file=str(unsafe)).observe()


def test_a_worker_gets_sigterm_and_its_pod_gets_its_grace_period(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    fake.script(stop_seconds=None)
    _launch(launcher, spec)
    launcher.terminate(spec.name, spec.attempt_id, grace_seconds=5)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    fake.advance(31)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 0, "pods": 0}


def test_a_job_missing_from_a_stale_watch_is_read_directly(fake: FakeKubernetes) -> None:
    launcher = _launcher(fake, follow=True)
    assert launcher.observe() == []
    spec = _spec()
    fake.fault(Fault.WATCH_SILENT, count=None)
    _launch(launcher, spec)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    launcher.close()


def test_a_pod_on_a_lost_node_counts_as_running_until_its_grace_is_over(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    _launch(launcher, spec)
    fake.node_lost(toleration_seconds=300)
    fake.advance(400)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    fake.advance(120)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    assert [run.is_running for run in fake.ledger()] == [True], (
        "the fence protects from it, nothing ends it"
    )


def test_a_job_without_a_pod_is_about_to_make_it(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    fake.script(start=Start.QUOTA)
    _launch(launcher, spec)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert observed.alive
    assert observed.evidence is not None
    assert any("exceeded quota" in str(event["message"]) for event in observed.evidence.events)


def test_the_mirror_holds_no_token(fake: FakeKubernetes) -> None:
    launcher = _launcher(fake, follow=True)
    spec = replace(_spec(), token="a-secret-token")  # noqa: S106 - made up here
    _launch(launcher, spec)
    observed = _observed(launcher, spec)
    assert observed is not None
    assert observed.evidence is not None
    assert observed.evidence.job
    assert observed.evidence.pods
    assert "a-secret-token" not in repr(observed)
    launcher.close()


@pytest.mark.parametrize("trouble", ["cut", "gone", "end", "silence"])
def test_an_interrupted_watch_continues(
    fake: FakeKubernetes, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.clusters.launchers.kubernetes.mirror.SILENCE_SECONDS", 0.5)
    monkeypatch.setattr("jobs.clusters.launchers.kubernetes.mirror.RETRY_SECONDS", 0.05)
    launcher = _launcher(fake, follow=True)
    launcher.observe()
    wait_for(lambda: sorted(fake.open_watches()) == ["events", "jobs", "pods"], "three watches")
    fake.watches(trouble)
    spec = _spec()
    _launch(launcher, spec)
    assert _in_time(lambda: _observed(launcher, spec) is not None), "the new worker is not seen"
    fake.exit(spec.name)
    assert _in_time(
        lambda: (observed := _observed(launcher, spec)) is not None and not observed.alive
    ), "its end is not seen"
    launcher.close()


def test_a_change_wakes_waiting_clients(fake: FakeKubernetes) -> None:
    launcher = _launcher(fake, follow=True)
    launcher.observe()
    launcher.wait_for_change(0)
    _launch(launcher, _spec())
    assert launcher.wait_for_change(10)
    launcher.close()


def test_the_rest_of_a_log_comes_from_the_pod(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = _spec()
    _launch(launcher, spec)
    lines = [
        f"2026-11-25T10:00:00.{number:09d}Z stdout F line {number}\n".encode()
        for number in range(100)
    ]
    fake.append_log(spec.name, b"".join(lines))
    fake.act(spec.name, Act.OUT_OF_MEMORY)
    launcher.observe()
    stored = b"".join(lines[:60])
    rest = b"".join(
        launcher.tail(spec.name, spec.attempt_id, after=stored[-4096:], offset=len(stored))
    )
    assert rest == b"".join(lines[60:])


@pytest.mark.parametrize("body", [b"<html>a proxy's page</html>", b"{}", b"[]"])
def test_an_answer_that_is_none_of_kubernetes_says_nothing(
    launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """A proxy that answers 200 to every request must not make workers look gone."""
    spec = _spec()
    _launch(launcher, spec)
    launcher.observe()
    monkeypatch.setattr(
        "jobs.clusters.launchers.kubernetes.client.Api.request",
        lambda *_given, **_more: Answer(200, body),
    )
    with pytest.raises(OSError, match="an object that is not a"):
        launcher.observe()
    with pytest.raises(OSError, match="an object that is not a"):
        launcher.is_gone(spec.name, spec.attempt_id)
