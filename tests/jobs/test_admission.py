"""Admission decision on one cluster: order, shares, limits, capacity and reservations."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from jobs.admission.decide import admit, effective_class
from jobs.admission.ledger import can_ever_hold
from jobs.admission.snapshot_types import (
    ClusterCapacity,
    Limits,
)
from jobs.contract import Priority, WaitRule
from tests.jobs.admission_examples import CAPACITY, allocation, job, names, snap


def test_the_oldest_starts_first_and_the_rest_waits_for_capacity() -> None:
    decision = admit(snap(job(3), job(1), job(2)))
    assert names(decision.admitted) == [1, 2]
    assert decision.blocked[uuid.UUID(int=3)].rule is WaitRule.CAPACITY
    assert [each.int for each in decision.order] == [1, 2, 3]


def test_a_higher_class_goes_before_an_older_job() -> None:
    decision = admit(
        snap(job(1), job(2, priority=Priority.CRITICAL), job(3, priority=Priority.HIGH))
    )
    assert names(decision.admitted) == [2, 3]


def test_waiting_lifts_a_job_one_class_at_a_time_and_never_to_critical() -> None:
    low = job(0, priority=Priority.LOW)
    at = {
        now: effective_class(low, snap(low, now=now, ageing_seconds=10.0))
        for now in (0.0, 9.0, 10.0, 20.0, 1000.0)
    }
    assert at == {0.0: 3, 9.0: 3, 10.0: 2, 20.0: 1, 1000.0: 1}
    critical = job(0, priority=Priority.CRITICAL)
    assert effective_class(critical, snap(critical, now=1000.0, ageing_seconds=10.0)) == 0


def test_inside_a_class_projects_share_equally() -> None:
    crowd = [job(number) for number in range(1, 6)]
    late = [job(10, project="b"), job(11, project="b")]
    four = ClusterCapacity("local", jobs=4, cpu_millicores=None, memory_bytes=None, gpus=0)
    decision = admit(snap(*crowd, *late, capacities=(four,)))
    assert names(decision.admitted) == [1, 10, 2, 11]


def test_what_a_project_already_runs_counts_for_its_share() -> None:
    three = ClusterCapacity("local", jobs=3, cpu_millicores=None, memory_bytes=None, gpus=0)
    decision = admit(
        snap(
            job(1),
            job(10, project="b"),
            capacities=(three,),
            allocations=(allocation(1), allocation(2)),
        )
    )
    assert names(decision.admitted) == [10]


@pytest.mark.parametrize(
    ("fields", "limits", "rule"),
    [
        ({}, Limits(paused=True), WaitRule.PAUSED),
        ({}, Limits(paused_projects=("a",)), WaitRule.PROJECT_PAUSED),
        ({}, Limits(paused_types=("pipeline_execution",)), WaitRule.PROJECT_PAUSED),
        ({"archived": True}, Limits(), WaitRule.PROJECT_ARCHIVED),
        ({"not_before": 101.0}, Limits(), WaitRule.BACK_OFF),
        ({"previous_alive": True}, Limits(), WaitRule.PREVIOUS_ATTEMPT),
        ({"exclusive_key": "twin:1"}, Limits(), WaitRule.EXCLUSIVE),
        ({}, Limits(jobs_global=1), WaitRule.JOBS_GLOBAL),
        ({}, Limits(jobs_by_type={"pipeline_execution": 1}), WaitRule.JOBS_TYPE),
        ({}, Limits(jobs_by_project={"a": 1}), WaitRule.JOBS_PROJECT),
    ],
)
def test_each_rule_blocks_and_says_so_but_not_those_behind(
    fields: dict[str, object], limits: Limits, rule: WaitRule
) -> None:
    other = job(2, project="b", type="ml_training")
    decision = admit(
        snap(
            job(1, **fields),
            other,
            limits=limits,
            allocations=(allocation(1, exclusive_key="twin:1"),),
        )
    )
    assert decision.blocked[uuid.UUID(int=1)].rule is rule
    everything = rule in (WaitRule.PAUSED, WaitRule.JOBS_GLOBAL)
    assert names(decision.admitted) == ([] if everything else [2])


def test_a_job_that_no_cluster_can_hold_fails_and_does_not_wait() -> None:
    small = ClusterCapacity("local", jobs=2, cpu_millicores=4000, memory_bytes=8 * 2**30, gpus=0)
    decision = admit(
        snap(job(1, memory_bytes=9 * 2**30), job(2, gpus=1), job(3), capacities=(small,))
    )
    assert [each.int for each in decision.never] == [1, 2]
    assert names(decision.admitted) == [3]


@pytest.mark.parametrize(
    ("field", "amount"), [("cpu_millicores", 4000), ("memory_bytes", 2**33), ("gpus", 2)]
)
def test_a_job_as_large_as_the_empty_cluster_fits_and_a_larger_one_never_does(
    field: str, amount: int
) -> None:
    large = ClusterCapacity("local", jobs=1, cpu_millicores=8000, memory_bytes=2**34, gpus=8)
    limit: dict[str, Any] = {field: amount}
    cluster = replace(large, **limit)
    assert can_ever_hold(cluster, job(1, **{field: amount}))
    assert not can_ever_hold(cluster, job(1, **{field: amount + 1}))
    decision = admit(snap(job(1, **{field: amount}), capacities=(cluster,)))
    assert names(decision.admitted) == [1]


def test_a_cluster_for_one_job_holds_one_and_a_cluster_for_none_holds_none() -> None:
    assert can_ever_hold(replace(CAPACITY, jobs=1), job(1))
    assert not can_ever_hold(replace(CAPACITY, jobs=0), job(1))


def test_what_fits_nowhere_is_one_reason_and_no_cluster_at_all_is_another() -> None:
    large = job(1, gpus=8)
    failing = {
        check.rule
        for check in admit(snap(large), explain=[large.job_id]).checks[large.job_id]
        if not check.passes
    }
    assert WaitRule.NEVER_FITS in failing
    assert WaitRule.CLUSTER_UNREACHABLE not in failing
    assert (
        admit(snap(job(1), capacities=())).blocked[uuid.UUID(int=1)].rule
        is WaitRule.CLUSTER_UNREACHABLE
    )


def test_an_unreachable_cluster_gets_no_work() -> None:
    away = ClusterCapacity(
        "local", jobs=2, cpu_millicores=None, memory_bytes=None, gpus=0, open=False
    )
    decision = admit(snap(job(1), capacities=(away,)))
    assert decision.blocked[uuid.UUID(int=1)].rule is WaitRule.CLUSTER_UNREACHABLE


def test_two_jobs_with_one_exclusive_key_do_not_start_in_one_pass() -> None:
    decision = admit(snap(job(1, exclusive_key="twin:1"), job(2, exclusive_key="twin:1")))
    assert names(decision.admitted) == [1]
    assert decision.blocked[uuid.UUID(int=2)].rule is WaitRule.EXCLUSIVE


def test_a_large_job_that_waited_long_reserves_capacity() -> None:
    capacity = ClusterCapacity("local", jobs=10, cpu_millicores=4000, memory_bytes=None, gpus=0)
    large, small = job(1, cpu_millicores=4000), job(2, cpu_millicores=1000)
    running = (allocation(1, cpu_millicores=1000),)
    early = admit(
        snap(
            large,
            small,
            capacities=(capacity,),
            allocations=running,
            now=100.0,
            reserve_after_seconds=180.0,
        )
    )
    assert names(early.admitted) == [2]
    late = admit(
        snap(
            large,
            small,
            capacities=(capacity,),
            allocations=running,
            now=300.0,
            reserve_after_seconds=180.0,
        )
    )
    assert late.admitted == ()
    assert late.blocked[small.job_id].rule is WaitRule.RESERVED


def test_no_reservation_is_reported_where_there_is_none() -> None:
    full = tuple(allocation(number) for number in range(CAPACITY.jobs))
    decision = admit(snap(job(1), allocations=full), explain=[uuid.UUID(int=1)])
    failing = [check.rule for check in decision.checks[uuid.UUID(int=1)] if not check.passes]
    assert failing == [WaitRule.CAPACITY]


def test_every_rule_is_explained_for_the_requested_jobs() -> None:
    decision = admit(
        snap(job(1), limits=Limits(jobs_by_project={"a": 0})), explain=[uuid.UUID(int=1)]
    )
    checks = {check.rule: check.passes for check in decision.checks[uuid.UUID(int=1)]}
    assert checks[WaitRule.JOBS_PROJECT] is False
    assert checks[WaitRule.CAPACITY] is True
    assert len(checks) == 16


def test_a_full_cluster_reserves_no_capacity_and_reports_none() -> None:
    one = ClusterCapacity("local", jobs=1, cpu_millicores=None, memory_bytes=None, gpus=0)
    decision = admit(
        snap(job(1), capacities=(one,), allocations=(allocation(1),)), explain=[uuid.UUID(int=1)]
    )
    assert [check.rule for check in decision.checks[uuid.UUID(int=1)] if not check.passes] == [
        WaitRule.CAPACITY
    ]
