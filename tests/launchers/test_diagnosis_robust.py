"""Robustness of the diagnosis against any input.

It never raises, never stores a worker's secrets, and quotes the cluster for unknown causes.
"""

import copy
import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import (
    diagnose,
    diagnose_refusal,
    reduce_event,
    reduce_job,
    reduce_pod,
)
from tests.launchers import kube

TOKEN = "a-very-secret-token"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
)


def _waiting() -> list[dict[str, Any]]:
    return [
        {
            "job": kube.job(active=1),
            "pods": [
                kube.unscheduled(
                    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint "
                    "{a: b}."
                )
            ],
        },
        {
            "job": kube.job(active=1),
            "pods": [kube.waiting("ImagePullBackOff", 'Back-off pulling image "x"')],
            "events": [
                kube.event("Failed", 'Failed to pull image "x": denied'),
                kube.event("Pulling", 'Pulling image "x"', seconds=9),
            ],
        },
    ]


def _ended() -> list[dict[str, Any]]:
    late = ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    return [
        {
            "job": kube.job(late, failed=1),
            "pods": [],
            "kept": [kube.running()],
            "events": [kube.event("Started"), kube.event("Killing")],
        },
        {
            "job": kube.job(failed=1),
            "pods": [
                kube.terminated(137, "OOMKilled", "loading"),
                kube.pod(reason="Evicted", message="low on resource: memory"),
            ],
        },
        {
            "job": kube.job(),
            "pods": [],
            "events": [
                kube.event(
                    "FailedCreate",
                    "Error creating: exceeded quota: q, requested: a=1, used: a=1, limited: a=1",
                    kind="Job",
                )
            ],
        },
        {
            "job": None,
            "pods": [],
            "kept": [
                kube.running(
                    deleting=True,
                    conditions=[("DisruptionTarget", "True", "DeletionByTaintManager", "")],
                )
            ],
        },
    ]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(each for key, part in inside for each in _paths(part, (*path, key)))]


def _mutilated(scene: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return `scene` with `value` at `path`; without the key if `value` is Ellipsis."""
    if not path:
        return scene
    changed = copy.deepcopy(scene)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


def _diagnosed(scene: dict[str, Any], **more: Any) -> Any:
    job, pods, events, kept, nodes = (
        cast(Any, scene.get(part)) for part in ("job", "pods", "events", "kept", "nodes")
    )
    return diagnose(job, pods, events, kept=kept, nodes=nodes, **more)


@settings(max_examples=4 * settings().max_examples)
@given(data=st.data())
def test_no_mutilated_input_raises(data: st.DataObject) -> None:
    scene = data.draw(st.sampled_from([*_waiting(), *_ended()])) | {
        "nodes": data.draw(st.sampled_from([None, [], [kube.node()]]))
    }
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from([path for path in _paths(scene) if path] or [()]))
        scene = _mutilated(scene, path, data.draw(st.one_of(st.just(...), ODD)))
    found = _diagnosed(scene, resources=data.draw(ODD))
    if found is not None:
        assert found.summary
        assert json.dumps(found.body())
        assert len(found.next_steps) <= 3


@given(value=ODD)
def test_anything_can_be_remembered(value: Any) -> None:
    for cut in (reduce_pod, reduce_event, reduce_job):
        assert json.dumps(cut(value))
        assert json.dumps(
            cut(
                {
                    "metadata": value,
                    "spec": value,
                    "status": value,
                    "series": value,
                    "involvedObject": value,
                }
            )
        )


@given(
    reason=st.from_regex(r"[A-Z][A-Za-z]{3,20}", fullmatch=True),
    message=st.from_regex(r"[a-z]{4,12}( [a-z]{4,12}){0,4}", fullmatch=True),
)
def test_an_unknown_wait_shows_the_cluster_message(reason: str, message: str) -> None:
    found = diagnose(kube.job(active=1), [kube.waiting(f"New{reason}", message)], [])
    assert found is not None
    assert f"New{reason}: {message}" in found.raw
    assert f"New{reason}: {message}" in found.summary


@pytest.mark.parametrize("reason", ["Error", "Unheard", ""])
def test_an_unknown_end_shows_the_cluster_message(reason: str) -> None:
    found = diagnose(
        kube.job(failed=1),
        [kube.pod(phase="Failed", reason=reason, message="a strange thing happened")],
        [],
    )
    assert found is not None
    assert "a strange thing happened" in found.summary
    assert "a strange thing happened" in found.raw


def test_an_unknown_refusal_shows_the_cluster_message() -> None:
    found = diagnose_refusal("a strange thing happened")
    assert "a strange thing happened" in found.summary
    assert found.category is FailureReason.LAUNCH_FAILED


@pytest.mark.parametrize(
    "make",
    [
        kube.running,
        lambda: kube.terminated(1),
        lambda: kube.waiting("ContainerCreating"),
        lambda: kube.unscheduled("no"),
    ],
)
def test_stored_evidence_of_a_pod_holds_no_environment(make: Any) -> None:
    kept = json.dumps(reduce_pod(make()))
    assert TOKEN not in kept
    assert "0f0e0d0c-0000" in kept  # its name is there
    assert "JOB_TOKEN" not in kept
    assert set(json.loads(kept)["spec"]) <= {"nodeName"}


def test_stored_evidence_of_a_job_holds_no_environment() -> None:
    kept = json.dumps(reduce_job(kube.job(active=1)))
    assert TOKEN not in kept
    assert "JOB_TOKEN" not in kept


def test_a_token_that_the_workers_log_repeats_is_taken_out() -> None:
    pod = kube.terminated(
        1,
        message=f"traceback\nurllib: Bearer {TOKEN}x1234 and {TOKEN} and "
        "redis://:hunter2hunter2@redis:6379/0",
    )
    for told in (json.dumps(reduce_pod(pod)), repr(diagnose(kube.job(failed=1), [pod], []))):
        assert TOKEN not in told
        assert "hunter2hunter2" not in told
        assert "traceback" in told


def test_what_a_database_refuses_is_not_kept() -> None:
    pod = kube.terminated(1, message="a\x00b \ud800 c")
    for told in (reduce_pod(pod), diagnose(kube.job(failed=1), [pod], [])):
        assert "a�b ? c" in str(told)
        assert str(told).encode()
    assert diagnose_refusal("a\x00b").raw == "Forbidden: a�b"


def test_storing_stored_evidence_changes_nothing() -> None:
    pod, job, event = (
        kube.terminated(137, "OOMKilled", "x"),
        kube.job(active=1),
        kube.event("Killing", "Stopping container worker"),
    )
    assert reduce_pod(reduce_pod(pod)) == reduce_pod(pod)
    assert reduce_job(reduce_job(job)) == reduce_job(job)
    assert reduce_event(reduce_event(event)) == reduce_event(event)


@pytest.mark.parametrize(
    "scene",
    [*_waiting(), *_ended()],
    ids=["unschedulable", "image", "late", "memory", "quota", "lost"],
)
def test_stored_evidence_is_sufficient(scene: dict[str, Any]) -> None:
    cut = {
        "job": scene["job"] and reduce_job(scene["job"]),
        "pods": [reduce_pod(pod) for pod in scene["pods"]],
        "events": [reduce_event(event) for event in scene.get("events", [])],
        "kept": [reduce_pod(pod) for pod in scene.get("kept", [])],
    }
    assert _diagnosed(cut) == _diagnosed(scene) != None  # noqa: E711 - both are there, and the same
