"""Choice of the cluster by requested cluster or region, capacity, health and reservations."""

import uuid
from dataclasses import replace

from jobs.admission.decide import admit
from jobs.admission.snapshot_types import (
    ClusterCapacity,
    Decision,
)
from jobs.contract import WaitRule
from tests.jobs.admission_examples import allocation, job, snap

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
    for placement in ({"cluster": "ap-1"}, {"region": "ap"}, {"cluster": "eu-1", "region": "us"}):
        check = admit(snap(job(1, **placement), capacities=(EU, US))).blocked[uuid.UUID(int=1)]
        assert check.rule is WaitRule.CLUSTER_UNKNOWN
        assert placement.items() <= check.facts.items()


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
