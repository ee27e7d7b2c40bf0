"""Admission over the heads of a queue gives the same result as over the whole queue."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.admission import candidates, lines
from jobs.admission.candidates import admit_heads
from jobs.admission.decide import admit
from jobs.admission.snapshot_types import Allocation, Candidate, ClusterCapacity, Limits, Snapshot
from jobs.contract import PRIORITIES, Priority
from tests.jobs.admission_examples import CAPACITY, allocation, job, names, snap
from tests.jobs.listed_queue import ListedQueue

EXAMPLES = 4 * settings().max_examples  # many examples, since queues vary in many ways
NOW, AGEING, RESERVE_AFTER = 1000.0, 150.0, 200.0
PROJECTS, TYPES = "abcz", ("pipeline_execution", "ml_training")  # z is archived
KEYS = ("", "", "", "twin:1", "twin:2")
CLUSTERS = ("one", "two", "three")

# Equal requests of several jobs. Few of them, so that groups are longer than their heads.
_shapes = st.lists(
    st.fixed_dictionaries(
        {
            "project": st.sampled_from("aaabbcz"),
            "type": st.sampled_from([TYPES[0], *TYPES]),
            "priority": st.sampled_from([*PRIORITIES, Priority.NORMAL, Priority.NORMAL]),
            "size": st.sampled_from(
                [(1000, 1, 0), (1000, 1, 0), (3000, 1, 0), (1000, 3, 1), (9000, 1, 0)]
            ),
            "keys": st.sampled_from([("",), ("",), ("twin:1", "twin:2", "twin:3", "twin:4")]),
            "before": st.sampled_from([(0.0,), (0.0,), (700.0, 950.0), (700.0, 950.0, 2000.0)]),
            "place": st.sampled_from(
                [{}, {}, {}, {"cluster": "one"}, {"region": "there"}, {"cluster": "gone"}]
            ),
        }
    ),
    min_size=1,
    max_size=5,
)


@st.composite
def _waiting(draw: st.DrawFn) -> list[Candidate]:
    shapes = draw(_shapes)
    count = draw(st.sampled_from([3, 12, 30, 50]))
    numbers = draw(st.lists(st.integers(1, 5000), min_size=count, max_size=count, unique=True))
    return [_job(draw, number, draw(st.sampled_from(shapes))) for number in numbers]


def _job(draw: st.DrawFn, number: int, shape: dict[str, Any]) -> Candidate:
    cpu, memory, gpus = shape["size"]
    return job(
        number,
        project=shape["project"],
        type=shape["type"],
        priority=shape["priority"],
        queued_at=float(draw(st.integers(500, 999))),
        cpu_millicores=cpu,
        memory_bytes=memory,
        gpus=gpus,
        exclusive_key=draw(st.sampled_from(shape["keys"])),
        not_before=draw(st.sampled_from(shape["before"])),
        previous_alive=draw(st.integers(0, 5)) == 0,
        archived=shape["project"] == "z",
        lost_on=draw(st.sampled_from(["", "", "one", "two"])),
        **shape["place"],
    )


_capacities = st.tuples(
    *(
        st.builds(
            ClusterCapacity,
            cluster=st.just(name),
            jobs=st.sampled_from([0, 0, 1, 2, 3, 4, 8]),
            cpu_millicores=st.sampled_from([None, None, 3000, 5000, 12000]),
            memory_bytes=st.sampled_from([None, 4, 8]),
            gpus=st.integers(0, 1),
            open=st.sampled_from([True, True, True, False]),
            region=st.just("there" if name == "two" else ""),
            start_window=st.sampled_from([None, None, 1, 2, 5]),
        )
        for name in CLUSTERS
    )
)
_allocations = st.lists(
    st.builds(
        lambda number, cluster, project, kind, cpu, key, fails, starting: allocation(
            number,
            cluster=cluster,
            project=project,
            type=kind,
            cpu_millicores=cpu,
            memory_bytes=1,
            exclusive_key=key,
            launch_fails=fails,
            is_starting=starting,
        ),
        st.integers(1, 100),
        st.sampled_from(CLUSTERS),
        st.sampled_from(PROJECTS),
        st.sampled_from(TYPES),
        st.sampled_from([1000, 3000]),
        st.sampled_from(KEYS),
        st.booleans(),
        st.booleans(),
    ),
    max_size=5,
)
_few = st.one_of(st.none(), st.integers(0, 6))
_limits = st.builds(
    lambda everywhere, kind, project, paused, paused_type: Limits(
        jobs_global=everywhere,
        jobs_by_type={} if kind is None else {TYPES[0]: kind},
        jobs_by_project={} if project is None else {"a": project},
        paused_projects=["b"] if paused else [],
        paused_types=[TYPES[1]] if paused_type else [],
    ),
    _few,
    _few,
    _few,
    st.booleans(),
    st.sampled_from([False, False, True]),
)


@st.composite
def _snapshots(draw: st.DrawFn) -> Snapshot:
    return snap(
        *draw(_waiting()),
        now=NOW,
        capacities=draw(_capacities),
        allocations=tuple(draw(_allocations)),
        limits=draw(_limits),
        ageing_seconds=AGEING,
        reserve_after_seconds=RESERVE_AFTER,
    )


@given(_snapshots(), st.one_of(st.none(), st.integers(1, 5)), st.sampled_from([2, 4]))
@settings(max_examples=EXAMPLES)
def test_the_heads_give_the_same_admissions_as_the_whole_queue(
    view: Snapshot, limit: int | None, factor: int
) -> None:
    whole = admit(view)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "DEPTH_FACTOR", factor)
        decision = admit_heads(replace(view, waiting=()), ListedQueue(view), limit=limit)
    assert decision.admitted == whole.admitted[:limit]
    assert sorted(decision.never) == sorted(whole.never)
    assert not decision.more_never


@contextmanager
def _lines_of(first: int, further: int) -> Iterator[None]:
    """Set how many jobs of a line are read first and afterwards, for any number of groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "GROUPS_MAX", 0)
        patch.setattr(lines, "FIRST_DEPTH", first)
        patch.setattr(lines, "DEPTH", further)
        yield


@given(
    _snapshots(),
    st.one_of(st.none(), st.integers(1, 5)),
    st.sampled_from([1, 2, 16]),
    st.sampled_from([1, 3, 64]),
)
@settings(max_examples=EXAMPLES)
def test_with_too_many_groups_the_lines_give_the_same_admissions(
    view: Snapshot, limit: int | None, first: int, further: int
) -> None:
    whole = admit(view)
    with _lines_of(first, further):
        decision = admit_heads(replace(view, waiting=()), ListedQueue(view), limit=limit)
    assert decision.admitted == whole.admitted[:limit]
    assert sorted(decision.never) == sorted(whole.never)
    assert decision.many_groups


@given(_snapshots())
@settings(max_examples=EXAMPLES)
def test_a_job_beside_the_lines_is_explained_as_in_the_whole_queue(view: Snapshot) -> None:
    with _lines_of(2, 3):
        heads = admit_heads(replace(view, waiting=()), ListedQueue(view), never_since=None).heads
    _assert_explained_alike(view, heads)


@given(_snapshots())
@settings(max_examples=EXAMPLES)
def test_a_job_beside_the_heads_is_explained_as_in_the_whole_queue(view: Snapshot) -> None:
    _assert_explained_alike(view, admit_heads(replace(view, waiting=()), ListedQueue(view)).heads)


def _assert_explained_alike(view: Snapshot, heads: Sequence[Candidate]) -> None:
    """Check that each job gets the same explanation from the heads as from all jobs."""
    whole = admit(view, explain=[each.job_id for each in view.waiting])
    for each in view.waiting:
        beside = {head.job_id: head for head in heads} | {each.job_id: each}
        decision = admit(replace(view, waiting=tuple(beside.values())), explain=[each.job_id])
        assert decision.checks[each.job_id] == whole.checks[each.job_id]
        assert decision.blocked.get(each.job_id) == whole.blocked.get(each.job_id)
        assert (each.job_id in decision.never) == (each.job_id in whole.never)


def _heads_read(view: Snapshot, limit: int | None = None) -> tuple[list[int], int]:
    """Return the admitted jobs and the number of candidates that were read."""
    queue = ListedQueue(view)
    decision = admit_heads(replace(view, waiting=()), queue, limit=limit)
    return names(decision.admitted), queue.rows_read


def _slots(count: int) -> tuple[ClusterCapacity, ...]:
    return (replace(CAPACITY, jobs=count),)


def test_one_free_slot_costs_one_row_of_a_group() -> None:
    waiting = [job(number) for number in range(1, 2001)]
    assert _heads_read(snap(*waiting, capacities=_slots(1))) == ([1], 1)


def test_a_group_whose_project_is_at_its_limit_is_not_read() -> None:
    waiting = [job(number) for number in range(1, 501)]
    other = job(600, project="b")
    limits = Limits(jobs_by_project={"a": 1})
    view = snap(*waiting, other, capacities=_slots(9), allocations=(allocation(1),), limits=limits)
    assert _heads_read(view) == ([600], 1)


def test_a_limit_on_the_pass_bounds_the_rows_that_are_read() -> None:
    waiting = [job(number) for number in range(1, 5001)]
    admitted, rows = _heads_read(snap(*waiting, capacities=_slots(5000)), limit=100)
    assert admitted == list(range(1, 101))
    assert rows == 64 + 64 * candidates.DEPTH_FACTOR


def test_thousands_of_jobs_with_one_exclusive_key_are_one_candidate() -> None:
    waiting = [job(number, exclusive_key="twin:1") for number in range(1, 2001)]
    later = job(3000, exclusive_key="twin:2")
    assert _heads_read(snap(*waiting, later, capacities=_slots(5))) == ([1, 3000], 2)
    held: tuple[Allocation, ...] = (allocation(1, exclusive_key="twin:1"),)
    view = snap(*waiting, later, capacities=_slots(5), allocations=held)
    assert _heads_read(view) == ([3000], 1)


def test_a_head_is_too_short_if_all_of_it_starts_before_the_last_slot() -> None:
    waiting = job(1), job(2), job(3, cpu_millicores=500)
    assert _heads_read(snap(*waiting, capacities=_slots(2))) == ([1, 2], 2 + 2)


def test_a_key_that_another_group_takes_does_not_block_the_rest_of_a_group() -> None:
    waiting = [
        job(1, exclusive_key="twin:1"),
        job(2, exclusive_key="twin:2"),
        job(3, exclusive_key="twin:1", project="b", priority=Priority.CRITICAL),
    ]
    assert _heads_read(snap(*waiting, capacities=_slots(2))) == ([3, 2], 2 + 3)


def test_the_oldest_retry_that_may_reserve_does_so_behind_one_that_may_not() -> None:
    """The retries differ only in the ends of their back-offs, which puts them in two lines."""
    fields = {"cpu_millicores": 3000, "priority": Priority.HIGH}
    first = job(1, not_before=999.0, **fields)
    second = job(2, not_before=100.0, **fields)
    small = job(3, cpu_millicores=1000)
    capacities = (ClusterCapacity("local", 3, cpu_millicores=3000, memory_bytes=None, gpus=0),)
    view = snap(
        first, second, small, now=1000.0, capacities=capacities, allocations=(allocation(1),)
    )
    assert _heads_read(view) == ([], 3)
    assert _heads_read(replace(view, waiting=(first, small))) == ([3], 2)


def test_with_too_many_groups_a_pass_reads_the_first_jobs_of_each_project() -> None:
    waiting = [
        job(number, project="ab"[number % 2], memory_bytes=number) for number in range(1, 2001)
    ]
    view = snap(*waiting, capacities=_slots(1))
    queue = ListedQueue(view)
    decision = admit_heads(replace(view, waiting=()), queue)
    assert (names(decision.admitted), queue.rows_read) == ([1], 2 * lines.FIRST_DEPTH)


def test_with_too_many_groups_jobs_that_do_not_fit_are_not_read() -> None:
    """The capacity is too small, but there are enough slots: no job takes the last one."""
    waiting = [job(number, memory_bytes=1000 + number) for number in range(1, 2001)]
    small = job(3000, memory_bytes=10)
    capacities = (replace(CAPACITY, jobs=1000, memory_bytes=1002),)
    view = snap(*waiting, small, now=20.0, capacities=capacities)
    queue = ListedQueue(view)
    decision = admit_heads(replace(view, waiting=()), queue)
    assert (names(decision.admitted), queue.rows_read) == ([1], 3)
    held = snap(
        *waiting, small, capacities=capacities, allocations=(allocation(1, memory_bytes=900),)
    )
    assert names(admit_heads(replace(held, waiting=()), ListedQueue(held)).admitted) == [3000]


def test_jobs_that_no_cluster_can_hold_are_returned_in_parts() -> None:
    waiting: list[Candidate] = [job(number, gpus=1) for number in range(1, 151)]
    view = snap(*waiting, job(500))
    decision = admit_heads(replace(view, waiting=()), ListedQueue(view))
    assert (names(decision.admitted), decision.more_never) == ([500], True)
    assert set(decision.never) < {UUID(int=number) for number in range(1, 151)}
    rest = replace(view, waiting=tuple(view.waiting[len(decision.never) : -1]))
    decision = admit_heads(replace(view, waiting=()), ListedQueue(rest))
    assert (len(decision.never), decision.more_never) == (50, False)
