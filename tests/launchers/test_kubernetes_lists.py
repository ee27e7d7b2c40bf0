"""Lists of thousands of workers: prefetched pages, reused observations, and hints."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.clusters.launchers.base import Observation
from jobs.clusters.launchers.kubernetes import client
from jobs.clusters.launchers.kubernetes.client import Answer, Api, Away
from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from jobs.clusters.launchers.kubernetes.observation import event_worker, observed
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.launchers.kubernetes_launch import in_time, launch, launcher_for, observe, spec_of


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE", 2)


def test_all_pages_of_a_list_are_read(fake: FakeKubernetes, launcher: KubernetesLauncher) -> None:
    specs = [spec_of() for _ in range(5)]
    for spec in specs:
        launch(launcher, spec)
    fake.clear_requests()
    assert {each.name for each in launcher.observe()} == {spec.name for spec in specs}
    lists = [
        each for each in fake.requests() if (each["verb"], each["resource"]) == ("list", "pods")
    ]
    assert [each["pages_on"] for each in lists][-3:] == [False, True, True]


def test_a_list_whose_second_page_fails_changes_nothing(
    launcher: KubernetesLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [spec_of() for _ in range(3)]
    for spec in specs:
        launch(launcher, spec)
    assert len(launcher.observe()) == 3
    sent = Api.request

    def request(self: Api, method: str, path: str, **more: Any) -> Answer:
        query: Mapping[str, object] = more.get("query") or {}
        if "continue" in query:
            raise Away("no answer")
        return sent(self, method, path, **more)

    monkeypatch.setattr(Api, "request", request)
    with pytest.raises(OSError, match="no answer"):
        launcher.observe()
    monkeypatch.undo()
    assert len(launcher.observe()) == 3


def test_an_error_of_a_page_that_was_requested_ahead_is_raised_where_it_is_needed() -> None:
    def fail() -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client._sent(fail).result(10)


def _has_pods(observation: Observation) -> bool:
    return observation.evidence is not None and bool(observation.evidence.pods)


def test_the_observation_of_an_unchanged_worker_is_repeated(fake: FakeKubernetes) -> None:
    launcher = launcher_for(fake, follow=True)
    one, other = spec_of(), spec_of()
    for spec in (one, other):
        launch(launcher, spec)
    assert in_time(lambda: all(map(_has_pods, launcher.observe())))
    before = observe(launcher, one)
    fake.exit(other.name)
    assert in_time(lambda: (found := observe(launcher, other)) is not None and not found.alive)
    assert observe(launcher, one) is before
    launcher.close()


def test_the_observation_of_a_pod_on_a_lost_node_is_not_repeated() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    pod = {
        "metadata": {
            "name": "worker-job-a-1-x",
            "annotations": {"mimir-aip/attempt-id": "a"},
            "labels": {"batch.kubernetes.io/job-name": "worker-job-a-1"},
            "deletionTimestamp": now.isoformat(),
        },
        "status": {"phase": "Running"},
    }
    early = observed([], [pod], [], None, lost_before=now - dt.timedelta(seconds=1))
    late = observed(
        [],
        [pod],
        [],
        None,
        lost_before=now + dt.timedelta(seconds=1),
        before={each.attempt_id: each for each in early},
    )
    assert (early[0].alive, late[0].alive) == (True, False)


def _line(kind: str, name: str, message: str = "", **about: str) -> bytes:
    event = {
        "metadata": {"name": f"{name}.1"},
        "involvedObject": {"kind": kind, **about, "name": name, "uid": "1"},
        "message": message,
    }
    return json.dumps({"type": "ADDED", "object": event}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("line", "worker"),
    [
        (_line("Pod", "worker-job-a-1-x", namespace="n"), "worker-job-a-1"),
        (_line("Job", "worker-job-a-1"), "worker-job-a-1"),
        (_line("Pod", "web-5f", namespace="n"), None),
        (_line("ReplicaSet", "worker-job-a-1"), None),
        (_line("Node", "node1"), ""),
        (_line("PersistentVolumeClaim", "model-cache"), ""),
        (b'{"type":"ADDED","object":{}}', ""),
        (
            _line("Pod", "worker-job-a-1-x", '"involvedObject":{"kind":"Node","name":"b"}'),
            "worker-job-a-1",
        ),
    ],
)
def test_the_worker_of_an_event_is_read_from_its_line(line: bytes, worker: str | None) -> None:
    assert event_worker(line) == worker


def test_events_of_a_worker_are_changes_of_that_worker(fake: FakeKubernetes) -> None:
    launcher = launcher_for(fake, follow=True)
    launcher.observe()
    launcher.wait_for_changes(0)
    launcher._note("events", "worker-job-a-1.1", _line("Job", "worker-job-a-1"))
    launcher._note("events", "worker-job-b-1.1", None)  # removed because of its age
    changes = launcher.wait_for_changes(10)
    assert changes.names == {"worker-job-a-1"}
    assert not changes.others
    assert not changes.ended
    launcher._note("events", "", None)  # a new list
    assert launcher.wait_for_changes(10).others
    launcher.close()
