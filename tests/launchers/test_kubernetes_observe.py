"""Kubernetes launcher: observations, watches, lost nodes and logs."""

from dataclasses import replace

import pytest

from jobs.clusters.launchers.base import (
    Target,
)
from jobs.clusters.launchers.kubernetes.client import Answer
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import diagnose
from jobs.diagnosis.kubernetes.objects import at
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.kubernetes.scripts import Act, Start
from tests.launchers.kubernetes_launch import (
    TEMPLATE,
    in_time,
    launch,
    launcher_for,
    observe,
    spec_of,
)
from tests.support.waiting import wait_for


def test_events_of_the_volume_claim_reach_its_workers(fake: FakeKubernetes) -> None:
    target = Target(
        context="fake",
        kubeconfig_file=str(fake.kubeconfig),
        namespace=fake.namespace,
        timeout_seconds=2,
    )
    spec, other = spec_of(), spec_of()
    with_claim = KubernetesLauncher(
        target, replace(TEMPLATE, shared_model_cache=True), follow=False
    )
    fake.script(start=Start.UNBOUND_CLAIM)
    launch(with_claim, spec)
    launch(launcher_for(fake), other)
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
    observed, without = observe(with_claim, spec), observe(with_claim, other)
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
    """An injected sidecar that still runs holds no slot, and is deleted with the Job."""
    spec = spec_of()
    fake.script(sidecar=True)
    launch(launcher, spec)
    observed = observe(launcher, spec)
    assert observed is not None
    assert observed.alive
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    fake.exit(spec.name, 3)
    observed = observe(launcher, spec)
    assert observed is not None
    assert (observed.alive, observed.exit_code) == (False, 3)
    assert launcher.is_gone(spec.name, spec.attempt_id)
    assert fake.counts() == {"jobs": 1, "pods": 1}
    launcher.clean_up(spec.name, spec.attempt_id)
    fake.advance(5)
    assert fake.counts() == {"jobs": 0, "pods": 0}


def test_a_job_missing_from_a_stale_watch_is_read_directly(fake: FakeKubernetes) -> None:
    launcher = launcher_for(fake, follow=True)
    assert launcher.observe() == []
    spec = spec_of()
    fake.fault(Fault.WATCH_SILENT, count=None)
    launch(launcher, spec)
    assert not launcher.is_gone(spec.name, spec.attempt_id)
    launcher.close()


def test_a_pod_on_a_lost_node_counts_as_running_until_its_grace_is_over(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = spec_of()
    launch(launcher, spec)
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
    spec = spec_of()
    fake.script(start=Start.QUOTA)
    launch(launcher, spec)
    observed = observe(launcher, spec)
    assert observed is not None
    assert observed.alive
    assert observed.evidence is not None
    assert any("exceeded quota" in str(event["message"]) for event in observed.evidence.events)


def test_the_mirror_holds_no_token(fake: FakeKubernetes) -> None:
    launcher = launcher_for(fake, follow=True)
    spec = replace(spec_of(), token="a-secret-token")  # noqa: S106 - made up here
    launch(launcher, spec)
    observed = observe(launcher, spec)
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
    launcher = launcher_for(fake, follow=True)
    launcher.observe()
    wait_for(lambda: sorted(fake.open_watches()) == ["events", "jobs", "pods"], "three watches")
    fake.watches(trouble)
    spec = spec_of()
    launch(launcher, spec)
    assert in_time(lambda: observe(launcher, spec) is not None), "the new worker is not seen"
    fake.exit(spec.name)
    assert in_time(
        lambda: (observed := observe(launcher, spec)) is not None and not observed.alive
    ), "its end is not seen"
    launcher.close()


def test_a_change_wakes_waiting_clients(fake: FakeKubernetes) -> None:
    launcher = launcher_for(fake, follow=True)
    launcher.observe()
    launcher.wait_for_changes(0)
    launch(launcher, spec_of())
    assert launcher.wait_for_changes(10)
    launcher.close()


def test_the_end_of_a_container_is_reported_apart_from_other_changes(
    fake: FakeKubernetes,
) -> None:
    launcher = launcher_for(fake, follow=True)
    launcher.observe()
    spec = spec_of()
    launch(launcher, spec)
    assert in_time(lambda: observe(launcher, spec) is not None), "the new worker is not seen"
    started = launcher.wait_for_changes(10)
    assert not started.ended
    assert started.names == {spec.name}
    fake.exit(spec.name)
    assert launcher.wait_for_changes(10, ends_only=True).ended == {spec.name}
    launcher.close()


def test_the_rest_of_a_log_comes_from_the_pod(
    fake: FakeKubernetes, launcher: KubernetesLauncher
) -> None:
    spec = spec_of()
    launch(launcher, spec)
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
def test_a_response_that_is_not_from_kubernetes_is_ignored(
    launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """A proxy that answers 200 to every request must not make workers look gone."""
    spec = spec_of()
    launch(launcher, spec)
    launcher.observe()
    monkeypatch.setattr(
        "jobs.clusters.launchers.kubernetes.client.Api.request",
        lambda *_given, **_more: Answer(200, body),
    )
    with pytest.raises(OSError, match="an object that is not a"):
        launcher.observe()
    with pytest.raises(OSError, match="an object that is not a"):
        launcher.is_gone(spec.name, spec.attempt_id)
