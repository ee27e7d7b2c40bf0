"""Diagnoses of constructed cases with messages as clusters write them, at least one per category."""  # noqa: E501

import pytest

from jobs.contract import FailureReason
from jobs.diagnosis.failures import diagnose as diagnose_attempt
from jobs.diagnosis.kubernetes import (
    Diagnosis,
    diagnose,
    heartbeat_lost,
    never_claimed,
    no_answer,
    not_allowed,
    reduce_event,
    reduce_job,
    reduce_pod,
)
from jobs.reasons import CLUSTER_REASONS, FINAL_REASONS, REASONS, UNCOUNTED_REASONS, remedy
from tests.launchers import kube
from tests.launchers.cases import CASES
from tests.launchers.cases.base import ENDED, ENDING, STUCK, WAITS, Case

RESOURCES = {"requests": {"memory_bytes": 2**31}, "limits": {"memory_bytes": 2**32}}


def _stage(found: Diagnosis) -> str:
    if found.waiting:
        return WAITS
    return STUCK if found.stuck else ENDING if found.ending else ENDED


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_gets_its_category_and_its_facts(case: Case) -> None:
    found = diagnose(
        case.job,
        case.pods,
        case.events,
        nodes=case.nodes,
        kept=[reduce_pod(pod) for pod in case.kept],
    )
    assert found is not None
    assert (found.category, _stage(found)) == (case.category, case.stage)
    diagnosis = " ".join(
        (found.summary, found.detail, *(step["label"] for step in found.next_steps))
    )
    assert [word for word in case.words if word not in diagnosis] == []
    assert found.next_steps
    assert found.raw or found.category is FailureReason.STARTING
    assert found.counts == (found.category not in UNCOUNTED_REASONS)
    assert found.retryable == (found.category not in FINAL_REASONS)
    if found.waiting:
        assert REASONS[found.category].is_wait
    else:
        assert "by itself" not in diagnosis
        assert not found.summary.startswith("Waiting") or found.stuck


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_has_the_same_diagnosis_from_stored_evidence(case: Case) -> None:
    cut = diagnose(
        case.job and reduce_job(case.job),
        [reduce_pod(pod) for pod in case.pods],
        [reduce_event(event) for event in case.events],
        nodes=case.nodes,
        kept=[reduce_pod(pod) for pod in case.kept],
    )
    assert cut is not None
    assert (cut.category, _stage(cut)) == (case.category, case.stage)


def test_every_category_of_a_cluster_is_reached() -> None:
    reached = {case.category for case in CASES} | {
        heartbeat_lost(60).category,
        never_claimed().category,
    }
    reached |= {
        FailureReason.IMAGE_NAME_INVALID,
        no_answer("it timed out").category,
        not_allowed("Unauthorized").category,
    }
    assert CLUSTER_REASONS - reached == set()


def test_a_right_that_is_missing_is_named() -> None:
    diagnosis = not_allowed(
        'jobs.batch is forbidden: User "system:serviceaccount:mimir:orchestrator" cannot create '
        'resource "jobs" in API group "batch"'
    )
    assert diagnosis.summary == (
        'Waiting: the cluster does not let "system:serviceaccount:mimir:orchestrator" create jobs.'
    )
    assert diagnosis.waiting
    assert diagnosis.next_steps[0]["label"].startswith(
        "Give system:serviceaccount:mimir:orchestrator the right to create jobs"
    )


def test_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("reason", sorted(CLUSTER_REASONS))
def test_a_cluster_reason_has_text_without_a_cluster_message(reason: FailureReason) -> None:
    diagnosis = diagnose_attempt(reason, resources=RESOURCES, timeout_seconds=60)
    assert diagnosis["category"] == reason
    assert diagnosis["summary"]
    assert diagnosis["detail"] == remedy(reason)


def test_the_cluster_message_is_that_of_the_attempt() -> None:
    found = diagnose(
        kube.job(active=1),
        [kube.waiting("CreateContainerConfigError", 'secret "redis" not found')],
        [],
    )
    assert found is not None
    diagnosis = diagnose_attempt(
        found.category,
        message="x",
        resources=RESOURCES,
        timeout_seconds=60,
        cluster_diagnosis=found.body(),
    )
    assert diagnosis == found.body()


def test_a_cluster_message_of_another_reason_is_ignored() -> None:
    found = diagnose(
        kube.job(active=1),
        [kube.waiting("CreateContainerConfigError", 'secret "redis" not found')],
        [],
    )
    assert found is not None
    diagnosis = diagnose_attempt(
        FailureReason.VANISHED,
        message="It is gone.",
        resources=RESOURCES,
        timeout_seconds=60,
        cluster_diagnosis=found.body(),
    )
    assert diagnosis["summary"] == "It is gone."


def test_memory_reported_by_the_worker_is_shown_beside_the_limit() -> None:
    found = diagnose(kube.job(failed=1), [kube.terminated(137, "OOMKilled")], [])
    assert found is not None
    facts = {"peak_bytes": 4 * 10**9}
    diagnosis = diagnose_attempt(
        found.category,
        detail=facts,
        resources=RESOURCES,
        timeout_seconds=60,
        cluster_diagnosis=found.body(),
    )
    assert diagnosis["summary"] == "Ran out of memory. Used 3.73 GiB of its 4 GiB."
    assert "OOMKilled" in diagnosis["detail"]


def test_a_time_limit_is_raised_from_the_jobs_own_and_not_from_the_last_resort() -> None:
    late = kube.job(
        ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline"),
        deadline=1560,
    )
    found = diagnose(late, [], [kube.event("Started")])
    assert found is not None
    diagnosis = diagnose_attempt(
        found.category, resources=RESOURCES, timeout_seconds=60, cluster_diagnosis=found.body()
    )
    assert diagnosis["next_steps"][0]["patch"] == {"timeout_seconds": 120}


@pytest.mark.parametrize(
    ("pods", "kept"),
    [
        ([kube.running()], []),
        ([kube.terminated(0, "Completed", phase="Succeeded")], []),
        (
            [kube.running(name=f"{kube.JOB}-zzzzz", created=90)],
            [kube.waiting("ErrImagePull", "not found")],
        ),
        ([], [kube.terminated(0, "Completed", phase="Succeeded")]),
    ],
    ids=["runs", "succeeded", "newest-runs", "kept-success"],
)
def test_a_running_or_succeeded_worker_has_no_diagnosis(
    pods: list[dict[str, object]], kept: list[dict[str, object]]
) -> None:
    assert (
        diagnose(
            kube.job(active=1),
            pods,
            [kube.event("FailedScheduling", "0/1 nodes"), kube.event("Started", seconds=30)],
            kept=kept,
        )
        is None
    )


def test_a_current_pod_replaces_its_stored_evidence() -> None:
    kept = [reduce_pod(kube.unscheduled("0/1 nodes are available: 1 Insufficient cpu."))]
    assert diagnose(kube.job(active=1), [kube.running()], [], kept=kept) is None


def test_the_last_that_was_kept_of_a_pod_counts() -> None:
    kept = [reduce_pod(kube.running()), reduce_pod(kube.terminated(3))]
    found = diagnose(None, [], [], kept=kept)
    assert found is not None
    assert found.category is FailureReason.EXIT_CODE
