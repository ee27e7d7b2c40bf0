"""Diagnoses of recorded cases.

A real API server and kubelet (1.34) produced the objects. `case.md` describes how, and the
expected explanation.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import (
    Diagnosis,
    diagnose,
    reduce_event,
    reduce_job,
    reduce_pod,
)

RECORDED = Path(__file__).parent / "recorded"
R = FailureReason

# (case, moment): the category, a word of a step for the user, required words; None without a
# diagnosis
EXPECTED: dict[tuple[str, str], tuple[R, str, tuple[str, ...]] | None] = {
    ("admission-podsecurity", "1-waiting"): (
        R.POD_SECURITY,
        "security context",
        (
            "restricted",
            "allowPrivilegeEscalation",
            "runAsNonRoot",
            "seccompProfile",
            "Waiting does not help",
        ),
    ),
    ("bad-command", "1-final"): (
        R.BAD_COMMAND,
        "Correct the command",
        ("/app/bin/mimir-worker", "not found in the image", "no log", "StartError"),
    ),
    ("deadline-exceeded", "1-running"): None,
    ("deadline-exceeded", "2-stopping"): (
        R.DEADLINE_EXCEEDED,
        "timeout_seconds",
        ("Being stopped", "20 s"),
    ),
    ("deadline-exceeded", "3-final"): (R.DEADLINE_EXCEEDED, "timeout_seconds", ("Stopped", "20 s")),
    ("failed-exit-3", "1-running"): None,
    ("failed-exit-3", "2-final"): (
        R.EXIT_CODE,
        "Change and run again",
        ("exit code 3", 'column "amount" not found in orders.csv', "log"),
    ),
    ("image-name-invalid", "1-waiting"): (
        R.IMAGE_NAME_INVALID,
        "Correct",
        ('"Mimir-AIP/Worker:0.1.0" is not valid', "lower case", "Waiting does not help"),
    ),
    ("image-never-pull", "1-waiting"): (
        R.IMAGE_NEVER_PULL,
        "IfNotPresent",
        ("mimir-aip/worker-local:dev is not on the node", "Never", "load the image"),
    ),
    ("image-not-found", "1-err-image-pull"): (
        R.IMAGE_NOT_FOUND,
        "Push",
        ("The image mimir-aip/worker:9.9.9 does not exist", "name or tag"),
    ),
    ("image-not-found", "2-image-pull-back-off"): (
        R.IMAGE_NOT_FOUND,
        "Push",
        ("The image mimir-aip/worker:9.9.9 does not exist", "name or tag"),
    ),
    ("image-not-found", "3-final"): (
        R.IMAGE_NOT_FOUND,
        "Push",
        ("The image mimir-aip/worker:9.9.9 does not exist", "deadline of 1 min ended it"),
    ),
    ("missing-secret", "1-waiting"): (
        R.MISSING_SECRET,
        "Create the secret",
        ('the secret "redis-worker-secret" is missing', "starts automatically"),
    ),
    ("out-of-memory", "1-running"): None,
    ("out-of-memory", "2-final"): (
        R.OUT_OF_MEMORY,
        "128 MiB",
        ("Ran out of memory", "64 MiB", "OOMKilled", "137", "more memory"),
    ),
    ("pulling-image", "1-pulling"): (
        R.IMAGE_PULLING,
        "",
        ("Pulling the image registry.example.com/mimir-aip/worker-gpu:0.2.0", "No error"),
    ),
    ("pulling-image", "2-running"): None,
    ("pvc-missing", "1-waiting"): (
        R.MISSING_VOLUME_CLAIM,
        "Create the volume claim",
        ('"model-cache-pvc" is missing', "without the model cache"),
    ),
    ("quota-exceeded", "1-waiting"): (
        R.QUOTA_EXCEEDED,
        "Raise the quota",
        ("mimir-workers", "requested 500m, used 0, limit 400m", "too small"),
    ),
    ("quota-exceeded", "2-still-waiting"): (
        R.QUOTA_EXCEEDED,
        "Request less",
        ("mimir-workers", "requested 500m, used 0, limit 400m"),
    ),
    ("quota-exceeded", "3-final"): (
        R.QUOTA_EXCEEDED,
        "Raise the quota",
        ("Never started", "mimir-workers", "requested 500m, used 0, limit 400m"),
    ),
    ("succeeded", "1-running"): None,
    ("succeeded", "2-final"): None,
    ("unschedulable-cpu", "1-waiting"): (
        R.UNSCHEDULABLE_CPU,
        "Request less",
        ("no node has 64 CPU free", "largest node: 1.9 CPU", "Even an empty node"),
    ),
    ("unschedulable-gpu", "1-waiting"): (
        R.UNSCHEDULABLE_GPU,
        "without a GPU",
        ("no node has a GPU", "0 of 1 nodes offer nvidia.com/gpu", "device plugin"),
    ),
    ("unschedulable-memory", "1-waiting"): (
        R.UNSCHEDULABLE_MEMORY,
        "Request less",
        ("no node has 512 GiB of memory", "Even an empty node"),
    ),
    ("unschedulable-node-selector", "1-waiting"): (
        R.UNSCHEDULABLE_SELECTOR,
        "Label a node",
        ("mimir-aip/node-pool=gpu-a100", "correct the node selector"),
    ),
}
ENDED = {"bad-command", "failed-exit-3", "out-of-memory"}
STUCK = {R.POD_SECURITY, R.IMAGE_NAME_INVALID}


def _read(case: str, moment: str, name: str) -> Any:
    path = RECORDED / case / moment / f"{name}.json"
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return found.get("items", found)


def _diagnosed(
    case: str, moment: str, *, cut: bool = False, before: bool = False
) -> Diagnosis | None:
    """Diagnose a moment of a case.

    `cut`: from stored objects only. `before`: with the stored pods of earlier moments.
    """
    job, pods, events = (_read(case, moment, name) for name in ("job", "pods", "events"))
    moments = sorted(path.name for path in (RECORDED / case).iterdir() if path.is_dir())
    earlier = moments[: moments.index(moment)] if before else []
    kept = [reduce_pod(pod) for name in earlier for pod in _read(case, name, "pods")]
    if cut:
        job, pods, events = (
            reduce_job(job),
            [reduce_pod(pod) for pod in pods],
            [reduce_event(event) for event in events],
        )
    return diagnose(job, pods, events, nodes=_read(case, moment, "nodes"), kept=kept)


def test_every_moment_of_every_recorded_case_has_its_expectation() -> None:
    recorded = {(path.parent.name, path.name) for path in RECORDED.glob("*/*") if path.is_dir()}
    assert recorded == EXPECTED.keys()


@pytest.mark.parametrize(("case", "moment"), EXPECTED)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "remembered"])
@pytest.mark.parametrize("before", [False, True], ids=["alone", "kept"])
def test_a_recorded_case_gets_its_category_and_a_step_to_take(
    case: str, moment: str, cut: bool, before: bool
) -> None:
    found, expected = _diagnosed(case, moment, cut=cut, before=before), EXPECTED[case, moment]
    if expected is None:
        assert found is None
        return
    category, step, words = expected
    assert found is not None
    assert found.category is category
    told = f"{found.summary} {found.detail}"
    assert [word for word in words if word not in told] == []
    assert step in " / ".join(each["label"] for each in found.next_steps)
    assert found.raw
    ended = case in ENDED or moment in ("3-final", "2-stopping")
    assert found.stuck == (category in STUCK)
    assert found.waiting == (not ended and not found.stuck)
    assert found.counts == (category in (R.EXIT_CODE, R.OUT_OF_MEMORY, R.DEADLINE_EXCEEDED))


def test_a_pull_that_failed_is_the_same_while_it_is_tried_and_while_it_waits() -> None:
    first, second = (
        _diagnosed("image-not-found", moment)
        for moment in ("1-err-image-pull", "2-image-pull-back-off")
    )
    assert first is not None
    assert second is not None
    assert (first.category, first.summary) == (second.category, second.summary)
