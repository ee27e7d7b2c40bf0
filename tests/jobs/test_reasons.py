"""The registry of failure reasons is complete, and each reason keeps its policy."""

import pytest

from jobs.contract import FailureReason
from jobs.reasons import (
    ADMINISTRATOR_REASONS,
    CLUSTER_REASONS,
    FINAL_REASONS,
    REASONS,
    SHORTAGE_REASONS,
    UNCOUNTED_REASONS,
    UNKNOWN_REMEDY,
    USER_REASONS,
    remedy,
)

# Literal values on purpose: a different policy of a reason changes what happens to jobs.
CLUSTER = """
    admission_denied admission_unavailable bad_command cluster_forbidden cluster_unreachable
    deleted_by_hand evicted evicted_by_request evicted_disk evicted_disk_limit
    evicted_memory heartbeat_lost image_name_invalid image_never_pull image_not_found
    image_pull_denied image_pull_failed image_pulling init_failed limit_range
    missing_config_map missing_priority_class missing_secret missing_service_account
    missing_volume_claim mount_failed network_failed never_claimed node_lost node_rejected
    node_shutdown pod_security preempted quota_exceeded registry_unreachable sandbox_failed
    starting suspended unschedulable unschedulable_cpu unschedulable_disk unschedulable_gpu
    unschedulable_memory unschedulable_selector unschedulable_taint unschedulable_volume
    vanished volume_unbound
"""
FINAL = """
    admission_denied artifact_limit_exceeded bad_command cancelled image_name_invalid
    invalid_input limit_range log_limit_exceeded model_corrupt never_fits pod_security
    protocol signature_mismatch stale_base
"""
SHORTAGE = """
    cluster_forbidden cluster_unreachable quota_exceeded suspended unschedulable
    unschedulable_cpu unschedulable_disk unschedulable_gpu unschedulable_memory
    unschedulable_taint
"""
COUNTED_OR_FINAL_FOR_THE_USER = """
    artifact_limit_exceeded cancelled deadline_exceeded disk_full evicted_disk_limit
    exit_code invalid_input log_limit_exceeded model_corrupt never_fits out_of_memory
    protocol signal signature_mismatch source_unavailable stale_base workload_failed
"""
USER = """
    artifact_limit_exceeded disk_full evicted_disk_limit exit_code invalid_input
    log_limit_exceeded model_corrupt out_of_memory signal signature_mismatch workload_failed
"""
NOT_FOR_AN_ADMINISTRATOR = """
    artifact_limit_exceeded cancelled deadline_exceeded deleted_by_hand evicted
    evicted_by_request evicted_disk evicted_disk_limit evicted_memory exit_code
    image_pulling interrupted invalid_input log_limit_exceeded node_lost node_rejected
    node_shutdown out_of_memory preempted shutdown signal signature_mismatch
    source_unavailable stale_base starting vanished worker_lost workload_failed
"""
RETRY_LAUNCH = "admission_unavailable cluster_forbidden quota_exceeded"


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_reason_has_a_short_stable_name_and_a_row_with_a_remedy(
    reason: FailureReason,
) -> None:
    assert len(reason.value) <= 32
    assert reason.value == reason.name.lower()
    assert REASONS[reason].remedy.endswith(".")
    assert remedy(reason) == REASONS[reason].remedy


def test_every_row_is_of_a_known_reason() -> None:
    assert set(REASONS) == set(FailureReason)


def test_a_reason_of_another_release_has_a_general_remedy() -> None:
    assert remedy("eaten_by_wolves") == UNKNOWN_REMEDY


@pytest.mark.parametrize(
    ("derived", "names"),
    [
        (CLUSTER_REASONS, CLUSTER),
        (FINAL_REASONS, FINAL),
        (SHORTAGE_REASONS, SHORTAGE),
        (set(FailureReason) - UNCOUNTED_REASONS, COUNTED_OR_FINAL_FOR_THE_USER),
        (USER_REASONS, USER),
        (set(FailureReason) - ADMINISTRATOR_REASONS, NOT_FOR_AN_ADMINISTRATOR),
        ({reason for reason, row in REASONS.items() if row.retry_launch}, RETRY_LAUNCH),
    ],
    ids=["cluster", "final", "shortage", "counts", "user", "not-administrator", "retry-launch"],
)
def test_the_derived_sets_hold_these_reasons(derived: set[FailureReason], names: str) -> None:
    listed = set(names.split())
    missing = {reason.value for reason in derived} - listed
    assert not missing, "add these reasons to their list at the top of this file, or change a row"
    assert not listed - {reason.value for reason in derived}, "these are listed and do not belong"


def test_a_shortage_is_a_wait_that_does_not_count() -> None:
    for reason in SHORTAGE_REASONS:
        assert REASONS[reason].is_wait
        assert not REASONS[reason].counts
