"""Diagnoses and decisions for messages of other versions and distributions.

`variants/` holds recorded moments with replaced words.
"""

import json
from dataclasses import dataclass
from pathlib import Path
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
from jobs.reasons import FINAL_REASONS, SHORTAGE_REASONS
from tests.launchers import kube
from tests.launchers.cases.base import Case
from tests.launchers.cases.variant_nodes import TAINTS
from tests.launchers.cases.variants import VARIANTS as OWN
from tests.launchers.decision import COUNTED, FAIL, NOTHING, UNBOUNDED, UNCOUNTED, decision

VARIANTS = Path(__file__).parent / "variants"
TOLERATE, TRUST = "toleration", "Install the registry's certificate authority"


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected words in summary, detail and steps (`says`), and forbidden ones (`never`).

    `moment`: the last one decides.
    """

    category: R
    says: tuple[str, ...]
    decision: str
    claimed: bool = False
    never: tuple[str, ...] = ()


EXPECTED = {
    "adm-openshift-scc": Expected(
        R.POD_SECURITY,
        ("10001", "1000750000", "runAsUser", "fsGroup"),
        FAIL,
        never=("PodSecurity the cluster",),
    ),
    "end-shutdown-old": Expected(R.NODE_SHUTDOWN, ("shut down",), UNCOUNTED, claimed=True),
    "img-cert-expired": Expected(R.REGISTRY_UNREACHABLE, ("expired",), UNCOUNTED, never=(TRUST,)),
    "img-harbor-412": Expected(
        R.IMAGE_PULL_FAILED, ("412", "Harbor"), UNCOUNTED, never=("no known reason",)
    ),
    "img-http-to-https": Expected(
        R.REGISTRY_UNREACHABLE,
        ("plain HTTP",),
        UNCOUNTED,
        never=("does not trust", "certificate authority"),
    ),
    "init-container-failure": Expected(
        R.INIT_FAILED,
        ('"fetch-model"', "exit code 1", "model store: HTTP 503", "never ran"),
        UNCOUNTED,
        never=("correct the input",),
    ),
    "killed-by-signal-sigkill": Expected(
        R.WORKER_LOST,
        ("killed by signal 9", "exit code 137", "not OOMKilled", "check the node"),
        UNCOUNTED,
        claimed=True,
    ),
    "mnt-csi-driver": Expected(R.MOUNT_FAILED, ("efs.csi.aws.com", "not registered"), UNCOUNTED),
    "mnt-timeout-after-cause": Expected(R.MISSING_SECRET, ("db-secret",), UNCOUNTED),
    "sbx-pause-image": Expected(
        R.REGISTRY_UNREACHABLE,
        ("registry.k8s.io/pause:3.9", "sandbox"),
        UNCOUNTED,
        never=("WORKER_IMAGE",),
    ),
    "sch-122-taint-notready": Expected(
        R.UNSCHEDULABLE_TAINT, ("not ready",), UNBOUNDED, never=(TOLERATE,)
    ),
    "sch-ca-tobedeleted": Expected(
        R.UNSCHEDULABLE_TAINT,
        ("being removed by the node autoscaler",),
        UNBOUNDED,
        never=(TOLERATE,),
    ),
    "sch-karpenter-failed": Expected(
        R.UNSCHEDULABLE_CPU, ("does not add a node", "incompatible with nodepool"), UNBOUNDED
    ),
    "sch-uninitialized-true": Expected(
        R.UNSCHEDULABLE_TAINT, ("still being set up",), UNBOUNDED, never=(TOLERATE,)
    ),
    "side-classic-imagepull": Expected(R.IMAGE_PULL_DENIED, ("pull secret",), UNCOUNTED),
    "side-classic-oom": Expected(R.OUT_OF_MEMORY, ("Ran out of memory",), COUNTED, claimed=True),
    "side-native-missing-secret": Expected(R.MISSING_SECRET, ("redis-worker-secret",), UNCOUNTED),
    "side-native-oom-143": Expected(R.OUT_OF_MEMORY, ("Ran out of memory",), COUNTED, claimed=True),
    "start-chdir-denied": Expected(
        R.BAD_COMMAND,
        ("/home/nonroot", "working directory"),
        FAIL,
        never=("/etc/passwd is not", "command /etc/passwd", "command mimir-worker is not"),
    ),
    "start-exec-format-exit": Expected(
        R.BAD_COMMAND, ("architecture", "/app/bin/mimir-worker"), FAIL, never=("correct the input",)
    ),
    "suspended-while-running": Expected(
        R.SUSPENDED, ("suspended while it ran", "is lost", "restarts"), UNBOUNDED, claimed=True
    ),
    "unschedulable-mixed-nodes": Expected(
        R.UNSCHEDULABLE_CPU,
        (
            "16 CPU",
            "1.9 CPU",
            "1 × Insufficient cpu",
            "2 × node(s) had untolerated taint",
            "fake: true",
            TOLERATE,
        ),
        UNBOUNDED,
        never=("largest node: 64",),
    ),
    "working-dir-missing": Expected(R.BAD_COMMAND, ("/proc/nowhere", "working directory"), FAIL),
}


def _read(case: str, moment: str, name: str) -> Any:
    path = VARIANTS / case / moment / f"{name}.json"
    if not path.exists():
        return None if name in ("nodes", "job") else []
    found = json.loads(path.read_text())
    return found.get("items", found)


def _objects(case: str) -> tuple[Any, Any, Any, Any]:
    """Return the Job, pods, events and nodes of the last moment."""
    moment = max(path.name for path in (VARIANTS / case).iterdir() if path.is_dir())
    job, pods, events, nodes = (
        _read(case, moment, name) for name in ("job", "pods", "events", "nodes")
    )
    return job[0] if isinstance(job, list) else job, pods, events, nodes


def text_of(found: Diagnosis) -> str:
    return " ".join((found.summary, found.detail, *(step["label"] for step in found.next_steps)))


def test_every_variant_has_its_expectation() -> None:
    assert {path.name for path in VARIANTS.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "remembered"])
@pytest.mark.parametrize("case", EXPECTED)
def test_a_variant_is_explained(case: str, cut: bool) -> None:
    expected = EXPECTED[case]
    job, pods, events, nodes = _objects(case)
    if cut:
        job, pods, events = (
            reduce_job(job),
            [reduce_pod(pod) for pod in pods],
            [reduce_event(event) for event in events],
        )
    for rights in (nodes, None) if case.startswith("sch-") else (nodes,):
        found = diagnose(job, pods, events, nodes=rights, claimed=expected.claimed)
        assert found is not None
        assert found.category is expected.category
        text = text_of(found)
        assert [each for each in expected.says if each not in text] == []
        assert [each for each in expected.never if each in text] == []


@pytest.mark.parametrize("case", [name for name, each in EXPECTED.items() if not each.claimed])
def test_a_variant_is_explained_without_knowing_of_the_claim(case: str) -> None:
    job, pods, events, nodes = _objects(case)
    found = diagnose(job, pods, events, nodes=nodes)
    assert found is not None
    assert found.category is EXPECTED[case].category


@pytest.mark.parametrize("case", EXPECTED)
def test_a_variant_is_decided(case: str) -> None:
    job, pods, events, nodes = _objects(case)
    assert (
        decision(job, pods, events, nodes, claimed=EXPECTED[case].claimed)
        == EXPECTED[case].decision
    )


def test_a_suspension_is_reported_while_the_worker_stops() -> None:
    job, pods, events = (
        _read("suspended-while-running", "2-stopping", name) for name in ("job", "pods", "events")
    )
    found = diagnose(job, pods, events)
    assert found is not None
    assert found.category is R.SUSPENDED
    assert "suspended while it ran" in found.summary
    assert decision(job, pods, events, claimed=True) == NOTHING, (
        "its container may still deliver its end"
    )


STARTED = {R.OUT_OF_MEMORY, R.EXIT_CODE, R.SIGNAL}


@pytest.mark.parametrize("case", OWN, ids=[case.name for case in OWN])
def test_another_wording_is_decided_as_its_kind(case: Case) -> None:
    claimed = case.category in STARTED
    expected = (
        COUNTED
        if claimed
        else FAIL
        if case.category in FINAL_REASONS
        else UNBOUNDED
        if case.category in SHORTAGE_REASONS
        else UNCOUNTED
    )
    assert decision(case.job, case.pods, case.events, case.nodes, claimed=claimed) == expected


@pytest.mark.parametrize("case", OWN, ids=[case.name for case in OWN])
def test_an_end_before_the_claim_is_never_counted(case: Case) -> None:
    assert decision(case.job, case.pods, case.events, case.nodes, claimed=False) != COUNTED


@pytest.mark.parametrize("case", TAINTS, ids=[case.name for case in TAINTS])
def test_no_advice_says_to_tolerate_a_node_condition(case: Case) -> None:
    found = diagnose(case.job, case.pods, case.events, nodes=case.nodes)
    assert found is not None
    assert TOLERATE not in text_of(found)


def test_an_exit_report_shows_that_it_was_our_worker() -> None:
    """A database restored from a backup lacks the claim: the image must not be blamed."""
    pod = kube.terminated(
        0, "Completed", '{"code": 0, "at": "2026-11-25T10:00:50+00:00"}', phase="Succeeded"
    )
    found = diagnose(None, [], [], kept=[reduce_pod(pod)], claimed=False)
    assert found is not None
    assert (found.category, found.counts) == (R.WORKER_LOST, False)
    assert (
        decision(kube.job(("Complete", "CompletionsReached", "")), [pod], [], claimed=False)
        == UNCOUNTED
    )


EXITS = [
    (0, "Completed", R.BAD_COMMAND, FAIL),
    (127, "Error", R.BAD_COMMAND, FAIL),
    (1, "Error", R.LAUNCH_FAILED, UNCOUNTED),
    (139, "Error", R.LAUNCH_FAILED, UNCOUNTED),
    (137, "Error", R.WORKER_LOST, UNCOUNTED),
    (137, "OOMKilled", R.OUT_OF_MEMORY, UNCOUNTED),
]


@pytest.mark.parametrize(("code", "reason", "category", "expected"), EXITS)
def test_an_image_that_ends_before_the_claim_is_named_with_its_exit_code(
    code: int, reason: str, category: R, expected: str
) -> None:
    phase = "Failed" if code else "Succeeded"
    pod = kube.terminated(code, reason, "it says this", phase=phase)
    job = (
        kube.job(failed=1)
        if code
        else kube.job(("Complete", "CompletionsReached", ""), succeeded=1)
    )
    found = diagnose(job, [pod], [], claimed=False)
    assert found is not None
    assert (found.category, found.counts) == (category, False)
    if category in (R.BAD_COMMAND, R.LAUNCH_FAILED):
        assert "mimir-aip/worker:1.0.0" in found.summary
        assert f"exit code {code}" in found.summary
        assert "it says this" in found.summary
    assert decision(job, [pod], [], claimed=False) == expected
