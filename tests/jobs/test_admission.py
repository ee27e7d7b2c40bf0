"""Admission decision: tables, and properties that hold for any snapshot."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.admission.decide import admit, can_ever_hold, effective_class
from jobs.admission.snapshot_types import (
    Allocation,
    Candidate,
    ClusterCapacity,
    Decision,
    Limits,
    Snapshot,
)
from jobs.contract import PRIORITIES, Priority, WaitRule

CAPACITY = ClusterCapacity("local", jobs=2, cpu_millicores=None, memory_bytes=None, gpus=0)


def job(number: int, **fields: object) -> Candidate:
    defaults: dict[str, object] = {
        "project": "a",
        "type": "pipeline_execution",
        "priority": Priority.NORMAL,
        "queued_at": float(number),
        "cpu_millicores": 1000,
        "memory_bytes": 2**30,
        "gpus": 0,
    }
    return Candidate(job_id=uuid.UUID(int=number), **(defaults | fields))  # type: ignore[arg-type]


def allocation(number: int, **fields: object) -> Allocation:
    defaults: dict[str, object] = {
        "cluster": "local",
        "project": "a",
        "type": "pipeline_execution",
        "cpu_millicores": 1000,
        "memory_bytes": 2**30,
        "gpus": 0,
    }
    return Allocation(job_id=uuid.UUID(int=10_000 + number), **(defaults | fields))  # type: ignore[arg-type]


def snap(
    *waiting: Candidate,
    now: float = 100.0,
    capacities: tuple[ClusterCapacity, ...] = (CAPACITY,),
    allocations: tuple[Allocation, ...] = (),
    limits: Limits | None = None,
    **seconds: float,
) -> Snapshot:
    return Snapshot(
        now=now,
        capacities=capacities,
        allocations=allocations,
        waiting=waiting,
        limits=limits or Limits(),
        **seconds,
    )


def names(decision_ids: object) -> list[int]:
    return [job_id.int for job_id, *_ in decision_ids]  # type: ignore[attr-defined]


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
    assert len(checks) == 15


def test_a_full_cluster_reserves_no_capacity_and_reports_none() -> None:
    one = ClusterCapacity("local", jobs=1, cpu_millicores=None, memory_bytes=None, gpus=0)
    decision = admit(
        snap(job(1), capacities=(one,), allocations=(allocation(1),)), explain=[uuid.UUID(int=1)]
    )
    assert [check.rule for check in decision.checks[uuid.UUID(int=1)] if not check.passes] == [
        WaitRule.CAPACITY
    ]


EU, US = (
    ClusterCapacity(name, jobs=2, cpu_millicores=4000, memory_bytes=None, gpus=0, region=name[:2])
    for name in ("eu-1", "us-1")
)


def placed(decision: Decision) -> dict[int, str]:
    return {job_id.int: cluster for job_id, cluster in decision.admitted}


def test_a_job_runs_only_where_it_asks_to() -> None:
    asking = (
        job(1, cluster="us-1"),
        job(2, cluster="us-1"),
        job(3, cluster="us-1"),
        job(4, region="eu"),
        job(5),
    )
    decision = admit(snap(*asking, capacities=(EU, US)))
    assert placed(decision) == {1: "us-1", 2: "us-1", 4: "eu-1", 5: "eu-1"}
    assert decision.blocked[asking[2].job_id].rule is WaitRule.CAPACITY
    assert decision.blocked[asking[2].job_id].facts["cluster"] == "us-1"


def test_an_unknown_cluster_or_region_waits_and_is_named() -> None:
    for asked in ({"cluster": "ap-1"}, {"region": "ap"}, {"cluster": "eu-1", "region": "us"}):
        check = admit(snap(job(1, **asked), capacities=(EU, US))).blocked[uuid.UUID(int=1)]
        assert check.rule is WaitRule.CLUSTER_UNKNOWN
        assert asked.items() <= check.facts.items()


def test_a_cluster_that_is_switched_off_and_one_that_is_away_are_two_reasons() -> None:
    off, away = replace(EU, open=False, enabled=False), replace(US, open=False)
    decision = admit(
        snap(job(1, cluster="eu-1"), job(2, cluster="us-1"), job(3), capacities=(off, away))
    )
    assert [decision.blocked[uuid.UUID(int=number)].rule for number in (1, 2, 3)] == [
        WaitRule.CLUSTER_DISABLED,
        WaitRule.CLUSTER_UNREACHABLE,
        WaitRule.CLUSTER_UNREACHABLE,
    ]
    assert [decision.blocked[uuid.UUID(int=number)].facts["clusters"] for number in (1, 2, 3)] == [
        "eu-1",
        "us-1",
        "us-1",
    ]


def test_a_job_too_large_for_the_cluster_it_asks_for_never_fits_whatever_others_have() -> None:
    large = replace(US, cpu_millicores=64000)
    decision = admit(
        snap(
            job(1, cpu_millicores=8000, cluster="eu-1"),
            job(2, cpu_millicores=8000),
            capacities=(EU, large),
        )
    )
    assert [each.int for each in decision.never] == [1]
    assert placed(decision) == {2: "us-1"}


def test_the_healthier_cluster_goes_before_the_emptier_one() -> None:
    failing = allocation(1, cluster="eu-1", launch_fails=True)
    busy = allocation(2, cluster="us-1")
    four = tuple(replace(capacity, jobs=4 if capacity is EU else 2) for capacity in (EU, US))
    assert placed(admit(snap(job(1), capacities=four, allocations=(busy,)))) == {1: "eu-1"}
    assert placed(admit(snap(job(1), job(2), capacities=four, allocations=(failing, busy)))) == {
        1: "us-1",
        2: "eu-1",
    }


def test_a_job_whose_worker_was_lost_goes_to_another_cluster_if_it_may() -> None:
    assert placed(admit(snap(job(1, lost_on="eu-1"), capacities=(EU, US)))) == {1: "us-1"}
    assert placed(admit(snap(job(1, lost_on="eu-1", cluster="eu-1"), capacities=(EU, US)))) == {
        1: "eu-1"
    }


def test_capacity_is_reserved_on_each_cluster_a_job_can_use_without_blocking_others() -> None:
    running = (allocation(1, cluster="eu-1"), allocation(2, cluster="us-1"))
    large = (
        job(1, cpu_millicores=4000, cluster="eu-1"),
        job(2, cpu_millicores=4000, cluster="us-1"),
    )
    early = admit(
        snap(
            large[0],
            job(3, cluster="us-1"),
            job(4, cluster="eu-1"),
            capacities=(EU, US),
            allocations=running,
            now=300.0,
        )
    )
    assert placed(early) == {3: "us-1"}
    assert early.blocked[uuid.UUID(int=4)].rule is WaitRule.RESERVED
    both = admit(snap(*large, job(3), capacities=(EU, US), allocations=running, now=300.0))
    assert both.blocked[uuid.UUID(int=3)].rule is WaitRule.RESERVED


candidates = st.builds(
    lambda number, project, priority, cpu, memory, gpus, key: job(
        number,
        project=project,
        priority=priority,
        cpu_millicores=cpu,
        memory_bytes=memory,
        gpus=gpus,
        exclusive_key=key,
    ),
    st.integers(1, 500),
    st.sampled_from("abc"),
    st.sampled_from(PRIORITIES),
    st.integers(1, 4000),
    st.integers(1, 8000),
    st.integers(0, 1),
    st.sampled_from(["", "", "twin:1", "twin:2"]),
)


@given(
    st.lists(candidates, max_size=30, unique_by=lambda each: each.job_id),
    st.integers(0, 5),
    st.integers(1, 8000),
    st.integers(1, 16000),
    st.one_of(st.none(), st.integers(0, 4)),
)
def test_no_pass_gives_away_more_than_there_is(
    waiting: list[Candidate], slots: int, cpu: int, memory: int, limit: int | None
) -> None:
    capacity = ClusterCapacity("local", jobs=slots, cpu_millicores=cpu, memory_bytes=memory, gpus=1)
    decision = admit(
        snap(*waiting, capacities=(capacity,), limits=Limits(jobs_global=limit), now=1000.0)
    )
    by_id = {each.job_id: each for each in waiting}
    taken = [by_id[job_id] for job_id, _cluster in decision.admitted]
    assert len(taken) <= min(slots, slots if limit is None else limit)
    assert sum(each.cpu_millicores for each in taken) <= cpu
    assert sum(each.memory_bytes for each in taken) <= memory
    assert sum(each.gpus for each in taken) <= 1
    assert (
        max(Counter(each.exclusive_key for each in taken if each.exclusive_key).values(), default=0)
        <= 1
    )
    told = {job_id for job_id, _ in decision.admitted} | set(decision.never) | set(decision.blocked)
    assert told == set(by_id) == set(decision.order)


# Few sizes, so that jobs ask alike, and times on both sides of a back-off and of a reservation.
_alike = st.builds(
    lambda number, project, size, key, before, asked: job(
        number, project=project, cpu_millicores=size, exclusive_key=key, not_before=before, **asked
    ),
    st.integers(1, 500),
    st.sampled_from("ab"),
    st.sampled_from([1000, 3000, 9000]),
    st.sampled_from(["", "", "twin:1"]),
    st.sampled_from([0.0, 0.0, 2000.0]),
    st.sampled_from([{}, {}, {"cluster": "one"}, {"region": "there"}, {"cluster": "gone"}]),
)


@given(
    st.lists(_alike, max_size=30, unique_by=lambda each: each.job_id),
    st.integers(0, 4),
    st.integers(1000, 8000),
)
def test_what_blocks_a_job_is_the_first_rule_that_fails_at_its_turn(
    waiting: list[Candidate], slots: int, cpu: int
) -> None:
    capacities = (
        ClusterCapacity("one", jobs=slots, cpu_millicores=cpu, memory_bytes=None, gpus=0),
        ClusterCapacity("two", 1, 3000, None, 0, region="there"),
    )
    decision = admit(
        snap(
            *waiting,
            capacities=capacities,
            limits=Limits(jobs_by_project={"b": 2}),
            now=1000.0,
            reserve_after_seconds=700.0,
        ),
        explain=[each.job_id for each in waiting],
    )
    asked = {each.job_id: each for each in waiting}
    for job_id, cluster in decision.admitted:
        assert asked[job_id].cluster in ("", cluster)
        assert asked[job_id].region in ("", {"one": "", "two": "there"}[cluster])
    for job_id in decision.order:
        failing = next((check for check in decision.checks[job_id] if not check.passes), None)
        if failing is None:
            assert job_id in {admitted for admitted, _cluster in decision.admitted}
        elif failing.rule is WaitRule.NEVER_FITS:
            assert job_id in decision.never
        else:
            assert decision.blocked[job_id] == failing


@pytest.mark.parametrize("field", ["cpu_millicores", "memory_bytes", "gpus"])
def test_what_runs_is_taken_from_the_capacity_in_sum(field: str) -> None:
    none: dict[str, Any] = {"cpu_millicores": 0, "memory_bytes": 0, "gpus": 0}
    cluster = ClusterCapacity("local", jobs=9, cpu_millicores=5, memory_bytes=5, gpus=5)
    running = tuple(allocation(number, **(none | {field: 2})) for number in (1, 2))

    def admitted(amount: int) -> list[int]:
        wanted = job(1, **(none | {field: amount}))
        return names(admit(snap(wanted, capacities=(cluster,), allocations=running)).admitted)

    assert (admitted(1), admitted(2)) == ([1], [])


@pytest.mark.parametrize(
    "limits",
    [
        lambda limit: Limits(jobs_global=limit),
        lambda limit: Limits(jobs_by_type={"pipeline_execution": limit}),
        lambda limit: Limits(jobs_by_project={"a": limit}),
    ],
    ids=["global", "type", "project"],
)
def test_each_running_job_counts_once_against_a_limit(limits: Callable[[int], Limits]) -> None:
    large = replace(CAPACITY, jobs=9)
    running = tuple(allocation(number) for number in (1, 2))
    waiting = [job(number) for number in (1, 2, 3)]
    decision = admit(snap(*waiting, capacities=(large,), allocations=running, limits=limits(4)))
    assert names(decision.admitted) == [1, 2]
    assert decision.blocked[uuid.UUID(int=3)].facts == {"used": 4, "limit": 4}
