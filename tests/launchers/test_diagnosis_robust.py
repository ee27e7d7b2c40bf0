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
    remember,
    remember_event,
    remember_job,
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


def _scenes() -> list[dict[str, Any]]:
    late = ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    return [
        {
            "job": kube.job(active=1),
            "pods": [
                kube.unscheduled(
                    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}."
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


def _mutilated(evidence: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return `scene` with `value` at `path`; without the key if `value` is Ellipsis."""
    if not path:
        return evidence
    changed = copy.deepcopy(evidence)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


def _diagnosed(evidence: dict[str, Any], **more: Any) -> Any:
    job, pods, events, kept, nodes = (
        cast(Any, evidence.get(part)) for part in ("job", "pods", "events", "kept", "nodes")
    )
    return diagnose(job, pods, events, kept=kept, nodes=nodes, **more)


@settings(max_examples=400)
@given(data=st.data())
def test_no_mutilated_input_raises(data: st.DataObject) -> None:
    evidence = data.draw(st.sampled_from(_scenes())) | {
        "nodes": data.draw(st.sampled_from([None, [], [kube.node()]]))
    }
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from([path for path in _paths(evidence) if path] or [()]))
        evidence = _mutilated(evidence, path, data.draw(st.one_of(st.just(...), ODD)))
    found = _diagnosed(evidence, resources=data.draw(ODD))
    if found is not None:
        assert found.summary
        assert json.dumps(found.body())
        assert len(found.next_steps) <= 3


@given(value=ODD)
def test_anything_can_be_remembered(value: Any) -> None:
    for cut in (remember, remember_event, remember_job):
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
    kept = json.dumps(remember(make()))
    assert TOKEN not in kept
    assert "0f0e0d0c-0000" in kept  # its name is there
    assert "JOB_TOKEN" not in kept
    assert set(json.loads(kept)["spec"]) <= {"nodeName"}


def test_stored_evidence_of_a_job_holds_no_environment() -> None:
    kept = json.dumps(remember_job(kube.job(active=1)))
    assert TOKEN not in kept
    assert "JOB_TOKEN" not in kept


def test_a_token_that_the_workers_log_repeats_is_taken_out() -> None:
    pod = kube.terminated(
        1,
        message=f"traceback\nurllib: Bearer {TOKEN}x1234 and {TOKEN} and redis://:hunter2hunter2@redis:6379/0",
    )
    for text in (json.dumps(remember(pod)), repr(diagnose(kube.job(failed=1), [pod], []))):
        assert TOKEN not in text
        assert "hunter2hunter2" not in text
        assert "traceback" in text


def test_what_a_database_refuses_is_not_kept() -> None:
    pod = kube.terminated(1, message="a\x00b \ud800 c")
    for text in (remember(pod), diagnose(kube.job(failed=1), [pod], [])):
        assert "a�b ? c" in str(text)
        assert str(text).encode()
    assert diagnose_refusal("a\x00b").raw == "Forbidden: a�b"


def test_storing_stored_evidence_changes_nothing() -> None:
    pod, job, event = (
        kube.terminated(137, "OOMKilled", "x"),
        kube.job(active=1),
        kube.event("Killing", "Stopping container worker"),
    )
    assert remember(remember(pod)) == remember(pod)
    assert remember_job(remember_job(job)) == remember_job(job)
    assert remember_event(remember_event(event)) == remember_event(event)


@pytest.mark.parametrize(
    "scene", _scenes(), ids=["unschedulable", "image", "late", "memory", "quota", "lost"]
)
def test_stored_evidence_is_sufficient(evidence: dict[str, Any]) -> None:
    cut = {
        "job": evidence["job"] and remember_job(evidence["job"]),
        "pods": [remember(pod) for pod in evidence["pods"]],
        "events": [remember_event(event) for event in evidence.get("events", [])],
        "kept": [remember(pod) for pod in evidence.get("kept", [])],
    }
    assert _diagnosed(cut) == _diagnosed(evidence) != None  # noqa: E711 - both are there, and the same
