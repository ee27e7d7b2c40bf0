"""Properties of the admission decision that hold for any snapshot."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.admission.decide import admit
from jobs.admission.snapshot_types import (
    Candidate,
    ClusterCapacity,
    Limits,
)
from jobs.contract import PRIORITIES, WaitRule
from tests.jobs.admission_examples import CAPACITY, allocation, job, names, snap

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
    decided = (
        {job_id for job_id, _ in decision.admitted} | set(decision.never) | set(decision.blocked)
    )
    assert decided == set(by_id) == set(decision.order)


# Few sizes, for equal requests, and times before and after a back-off and a reservation.
_alike = st.builds(
    lambda number, project, size, key, before, placement: job(
        number,
        project=project,
        cpu_millicores=size,
        exclusive_key=key,
        not_before=before,
        **placement,
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
    placement = {each.job_id: each for each in waiting}
    for job_id, cluster in decision.admitted:
        assert placement[job_id].cluster in ("", cluster)
        assert placement[job_id].region in ("", {"one": "", "two": "there"}[cluster])
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
