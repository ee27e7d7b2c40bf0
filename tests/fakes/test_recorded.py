"""Comparison of the fake's objects with those of a real 1.34 cluster.

Each recorded moment is replayed by a script; everything except names, ids and times must be equal.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kubernetes.api import Api
from tests.fakes.kubernetes.clock import START
from tests.fakes.kubernetes.cluster import Cluster
from tests.fakes.kubernetes.http import Reply, Request
from tests.fakes.kubernetes.resources import EVENTS, JOBS, NODES, PODS
from tests.fakes.kubernetes.scripts import Act, PodScript, Start

RECORDED = Path(__file__).parents[1] / "launchers" / "recorded"
NAMESPACE = "mimir-aip"


@dataclass(frozen=True)
class Played:
    """Replay of a recorded case: the script and the acts before each moment."""

    script: PodScript = field(default_factory=PodScript)
    before: tuple[Callable[[Cluster, str], object], ...] = (lambda cluster, job: None,)


def _log(text: str) -> Callable[[Cluster, str], None]:
    def write(cluster: Cluster, job: str) -> None:
        state = cluster.state_of(job)
        assert state
        state.log.append(text.encode(), stamp="2026-01-01T00:00:00Z")

    return write


def _advance(seconds: float) -> Callable[[Cluster, str], None]:
    return lambda cluster, job: cluster.advance(seconds)


def _to_deadline(cluster: Cluster, job: str) -> None:
    (version,) = cluster.store.all(JOBS)
    cluster.clock.advance_to(START + version.obj["spec"]["activeDeadlineSeconds"] + 1)


def _nothing(cluster: Cluster, job: str) -> None:
    pass


def _exit_3(cluster: Cluster, job: str) -> None:
    _log('reading orders.csv\nValueError: column "amount" not found in orders.csv\n')(cluster, job)
    cluster.act(job, Act.EXIT, exit_code=3)


def _out_of_memory(cluster: Cluster, job: str) -> None:
    _log("loading\n")(cluster, job)
    cluster.act(job, Act.OUT_OF_MEMORY)


def _only(start: Start, message: str = "", moments: int = 1) -> Played:
    return Played(PodScript(start, message=message), (_nothing,) * moments)


PODSECURITY = (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container '
    '"worker" must set '
    "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "
    '"worker" must set '
    'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "worker" '
    "must set securityContext.runAsNonRoot=true), "
    'seccompProfile (pod or container "worker" must set securityContext.seccompProfile.type to '
    '"RuntimeDefault" or "Localhost")'
)
CASES = {
    "succeeded": Played(before=(_nothing, lambda cluster, job: cluster.act(job, Act.EXIT))),
    "failed-exit-3": Played(before=(_nothing, _exit_3)),
    "out-of-memory": Played(before=(_nothing, _out_of_memory)),
    "bad-command": _only(Start.BAD_COMMAND),
    "deadline-exceeded": Played(PodScript(stop_seconds=5.0), (_nothing, _to_deadline, _advance(6))),
    "image-not-found": Played(
        PodScript(Start.IMAGE_NOT_FOUND), (_advance(20), _advance(10), _to_deadline)
    ),
    "image-name-invalid": _only(Start.BAD_IMAGE_NAME),
    "image-never-pull": _only(Start.NEVER_PULL),
    "missing-secret": _only(Start.NO_SECRET),
    "pulling-image": Played(
        PodScript(Start.PULLING), (_nothing, lambda cluster, job: cluster.act(job, Act.START))
    ),
    "pvc-missing": _only(Start.NO_CLAIM),
    "unschedulable-cpu": _only(Start.NO_CPU),
    "unschedulable-gpu": _only(Start.NO_GPU),
    "unschedulable-memory": _only(Start.NO_MEMORY),
    "unschedulable-node-selector": _only(Start.NO_NODE_MATCHES),
    "admission-podsecurity": _only(Start.POD_SECURITY, PODSECURITY),
    "quota-exceeded": Played(PodScript(Start.QUOTA), (_nothing, _advance(40), _to_deadline)),
}


def _as_created(job: dict[str, Any]) -> dict[str, Any]:
    """Return the Job as it was sent, without the fields that the server added."""
    created = (
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
    )
    spec = {
        name: value
        for name, value in job["spec"].items()
        if name not in ("selector", "manualSelector")
    }
    labels = {
        name: value
        for name, value in spec["template"]["metadata"]["labels"].items()
        if name not in created
    }
    spec["template"] = {**spec["template"], "metadata": {"labels": labels}}
    meta = {"name": job["metadata"]["name"], "labels": job["metadata"]["labels"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


_SAME = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"(worker-job-[0-9a-f-]{36}-1)-[a-z0-9]{5}"), r"\1-xxxxx"),
    (re.compile(r"\.18eabd[0-9a-f]{10}"), ".<hex>"),
    (re.compile(r"containerd://[0-9a-f]{64}"), "containerd://<id>"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:<digest>"),
    (
        re.compile(r"(?<!worker-job-)(?<![0-9a-f])[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"),
        "<uid>",
    ),
    (re.compile(r"fx-mimir-[0-9a-f]{4}"), NAMESPACE),
    (re.compile(r"10\.244\.\d+\.\d+"), "<ip>"),
    (re.compile(r"in [\d.]+s \([\d.]+s including"), "in <seconds> (<seconds> including"),
    (re.compile(r"default-scheduler-\w+"), "default-scheduler-<host>"),
)
RECORDED_TOO_EARLY = {  # an Event that was created after the object was read
    ("bad-command", 0): "BackoffLimitExceeded",
    ("quota-exceeded", 2): "DeadlineExceeded",
    ("pvc-missing", 0): "SuccessfulCreate",
}
_NUMBERS = {"resourceVersion", "count", "deletionGracePeriodSeconds"}


def _plain(value: Any) -> Any:
    """Remove names, ids, times and versions, which differ from run to run."""
    if isinstance(value, dict):
        return {
            name: "<number>" if name in _NUMBERS else _plain(each) for name, each in value.items()
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        for pattern, word in _SAME:
            value = pattern.sub(word, value)
    return value


def _sorted_events(events: list[Any]) -> list[str]:
    """Return the distinct events, sorted."""
    return sorted({json.dumps(_plain(event), sort_keys=True) for event in events})


def _sorted_conditions(pod: dict[str, Any]) -> dict[str, Any]:
    status = {
        **pod["status"],
        "conditions": sorted(
            pod["status"].get("conditions", ()), key=lambda each: str(each["type"])
        ),
    }
    return {**pod, "status": status}


def _moments() -> list[tuple[str, int]]:
    return [(case, index) for case in sorted(CASES) for index in range(len(CASES[case].before))]


def _play(case: str, index: int) -> tuple[Cluster, Path]:
    folders = sorted(path for path in (RECORDED / case).iterdir() if path.is_dir())
    folder, played, cluster = folders[index], CASES[case], Cluster()
    job = json.loads((folder / "job.json").read_text())
    name = job["metadata"]["name"]
    cluster.scripts.put("*", played.script)
    body = json.dumps(_as_created(job)).encode()
    answer = Api(cluster).handle(
        Request(
            "POST",
            f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
            {"fieldValidation": "Strict"},
            {},
            body,
        )
    )
    assert isinstance(answer, Reply)
    assert answer.status == 201, answer.body
    for step in played.before[: index + 1]:
        step(cluster, name)
    return cluster, folder


def test_every_recorded_case_is_replayed() -> None:
    assert set(CASES) == {path.name for path in RECORDED.iterdir() if path.is_dir()}
    assert all(
        len(CASES[case].before) == sum(path.is_dir() for path in (RECORDED / case).iterdir())
        for case in CASES
    )


@pytest.mark.parametrize(("case", "index"), _moments())
def test_a_job_equals_the_recording(case: str, index: int) -> None:
    cluster, folder = _play(case, index)
    real = json.loads((folder / "job.json").read_text())
    (version,) = cluster.store.all(JOBS)

    assert _plain(json.loads(version.raw)) == _plain(real)


@pytest.mark.parametrize(("case", "index"), _moments())
def test_pods_equal_the_recording(case: str, index: int) -> None:
    cluster, folder = _play(case, index)
    real = json.loads((folder / "pods.json").read_text())["items"]

    mine = [json.loads(version.item) for version in cluster.store.all(PODS)]

    assert [_plain(_sorted_conditions(pod)) for pod in mine] == [
        _plain(_sorted_conditions(pod)) for pod in real
    ]


@pytest.mark.parametrize(("case", "index"), _moments())
def test_events_equal_the_recording(case: str, index: int) -> None:
    cluster, folder = _play(case, index)
    real = json.loads((folder / "events.json").read_text())["items"]

    mine = [json.loads(version.item) for version in cluster.store.all(EVENTS)]

    unrecorded = RECORDED_TOO_EARLY.get((case, index))
    assert _sorted_events(
        [event for event in mine if event["reason"] != unrecorded]
    ) == _sorted_events(real)
    assert not unrecorded or any(event["reason"] == unrecorded for event in mine)


def test_a_node_equals_the_recording() -> None:
    real = json.loads((RECORDED / "unschedulable-gpu" / "1-waiting" / "nodes.json").read_text())[
        "items"
    ][0]
    (version,) = Cluster().store.all(NODES)

    assert [each["type"] for each in version.obj["status"]["conditions"]] == [
        each["type"] for each in real["status"]["conditions"]
    ]
    assert version.obj["status"]["allocatable"].items() <= real["status"]["allocatable"].items()
    assert set(version.obj["status"]) <= set(real["status"])
    assert version.obj["status"]["nodeInfo"].keys() == real["status"]["nodeInfo"].keys()
