"""Forecast of starts: examples, agreement with a simulation, limits and cost."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.admission.decide import admit
from jobs.admission.forecast import (
    WORK_MAX,
    Forecast,
    UsualSeconds,
    forecast,
)
from jobs.admission.queue_head import CANDIDATES_MAX, LINE_CANDIDATES_MAX, QueueHead, queue_head
from jobs.admission.snapshot_types import (
    Allocation,
    Candidate,
    ClusterCapacity,
    Decision,
    Limits,
    Snapshot,
)
from jobs.contract import PRIORITIES, Priority
from tests.jobs.admission_examples import CAPACITY, allocation, job, snap
from tests.jobs.forecast_simulation import simulate
from tests.jobs.listed_queue import ListedQueue

GIB = 2**30
KIND = ("a", "pipeline_execution")
MINUTE = UsualSeconds({KIND: 60.0})


def _forecast(view: Snapshot, usual: UsualSeconds, *wanted: Candidate, **bounds: int) -> Forecast:
    head = QueueHead(view.waiting)
    ids = [each.job_id for each in wanted]
    return forecast(replace(view, waiting=()), head, usual, ids, work_max=10**9, **bounds)


def _after(found: Forecast, one: Candidate) -> float | None:
    start = found.starts.get(one.job_id)
    return None if start is None else start.after_seconds


def test_a_job_starts_when_the_running_ones_and_those_before_it_have_ended() -> None:
    first, second, third = job(1), job(2), job(3)
    running = (allocation(1, began=60.0), allocation(2, began=70.0))
    view = snap(first, second, third, allocations=running, now=100.0)
    found = _forecast(view, MINUTE, first, second, third)
    assert [_after(found, each) for each in (first, second, third)] == [20.0, 30.0, 80.0]
    assert found.starts[third.job_id].cluster == "local"


def test_a_large_job_waits_until_enough_memory_is_free() -> None:
    capacity = ClusterCapacity("local", 8, None, 8 * GIB, 0)
    running = (
        allocation(1, memory_bytes=4 * GIB, began=60.0),
        allocation(2, memory_bytes=4 * GIB, began=90.0),
    )
    small, large = job(1, memory_bytes=2 * GIB), job(2, memory_bytes=6 * GIB)
    view = snap(large, capacities=(capacity,), allocations=running, now=100.0)
    assert _after(_forecast(view, MINUTE, large), large) == 50.0
    view = snap(small, capacities=(capacity,), allocations=running, now=100.0)
    assert _after(_forecast(view, MINUTE, small), small) == 20.0


def test_of_equal_jobs_as_many_as_slots_start_before_a_younger_one() -> None:
    oldest, second, younger = job(1), job(2), job(3, memory_bytes=2 * GIB)
    capacity = ClusterCapacity("local", 2, None, None, 0)
    view = snap(oldest, second, younger, capacities=(capacity,), now=100.0)
    found = _forecast(view, MINUTE, oldest, second, younger)
    assert [_after(found, each) for each in (oldest, second, younger)] == [0.0, 0.0, 60.0]


def test_a_worker_that_exceeds_its_usual_duration_never_ends_in_a_forecast() -> None:
    late, unknown = allocation(1, began=10.0), allocation(2, began=90.0, type="ml_training")
    view = snap(job(1), allocations=(late, unknown), now=100.0)
    found = _forecast(view, MINUTE, job(1))
    assert (_after(found, job(1)), found.complete) == (None, True)
    cancelled = replace(late, began=90.0, starting_or_running=False)
    view = snap(job(1), allocations=(cancelled, unknown), now=100.0)
    assert _after(_forecast(view, MINUTE, job(1)), job(1)) is None


def test_a_pause_and_a_job_that_never_fits_have_no_start() -> None:
    view = snap(job(1), allocations=(allocation(1, began=90.0),), limits=Limits(paused=True))
    found = _forecast(view, MINUTE, job(1))
    assert (dict(found.starts), found.complete) == ({}, True)
    large = job(2, gpus=1)
    found = _forecast(snap(large), MINUTE, large)
    assert (dict(found.starts), found.complete) == ({}, True)


def test_an_exclusive_key_is_free_when_its_holder_has_ended() -> None:
    holder = allocation(1, exclusive_key="twin:1", began=70.0)
    waits = job(1, exclusive_key="twin:1")
    found = _forecast(snap(waits, allocations=(holder,), now=100.0), MINUTE, waits)
    assert _after(found, waits) == 30.0


def test_a_back_off_delays_a_start_and_does_not_hold_others() -> None:
    retry, other = job(1, not_before=130.0), job(2)
    found = _forecast(snap(retry, other, now=100.0), MINUTE, retry, other)
    assert (_after(found, retry), _after(found, other)) == (30.0, 0.0)


def test_a_burst_passes_the_start_window_one_after_another() -> None:
    capacity = replace(CAPACITY, jobs=9, start_window=1)
    jobs = [job(number) for number in (1, 2, 3)]
    usual = UsualSeconds({KIND: 60.0}, {"local": 5.0})
    found = _forecast(snap(*jobs, capacities=(capacity,)), usual, *jobs)
    assert [_after(found, each) for each in jobs] == [0.0, 5.0, 10.0]


def test_a_bound_says_until_when_nothing_starts() -> None:
    jobs = [job(number) for number in range(1, 30)]
    view = snap(*jobs, allocations=(allocation(1, began=80.0), allocation(2, began=90.0)))
    for work_max, within_seconds in ((80, 10_000.0), (10**9, 130.0)):
        found = forecast(
            replace(view, waiting=()),
            QueueHead(tuple(jobs)),
            MINUTE,
            [jobs[-1].job_id],
            work_max=work_max,
            within_seconds=within_seconds,
        )
        assert dict(found.starts) == {}
        assert not found.complete
        assert 40.0 <= found.until_seconds <= 130.0


def test_a_forecast_ends_where_the_queue_was_not_read_further() -> None:
    jobs = [job(number, queued_at=number / 1000) for number in range(1, 2 * CANDIDATES_MAX)]
    view = snap(*jobs, allocations=(allocation(1, began=80.0), allocation(2, began=90.0)))
    head = queue_head(replace(view, waiting=()), ListedQueue(view))
    assert head is not None
    assert len(head.jobs) == CANDIDATES_MAX
    assert head.last_read == {jobs[CANDIDATES_MAX - 1].job_id}
    new = job(99_999, queued_at=100.0)
    asked = replace(head, jobs=(*head.jobs, new))
    found = forecast(
        replace(view, waiting=()),
        asked,
        MINUTE,
        [new.job_id],
        work_max=10**9,
        within_seconds=10**9,
    )
    assert (dict(found.starts), found.complete) == ({}, False)
    high = replace(new, priority=Priority.HIGH)
    asked = replace(head, jobs=(*head.jobs, high))
    found = forecast(replace(view, waiting=()), asked, MINUTE, [high.job_id])
    assert _after(found, high) == 40.0


def _of_many_groups(view: Snapshot) -> tuple[QueueHead, Snapshot]:
    """Return the head of a queue with too many groups, and the view without waiting jobs."""
    empty = replace(view, waiting=())
    head = queue_head(empty, ListedQueue(view))
    assert head is not None
    return head, empty


def test_among_many_different_requests_a_job_starts_after_those_before_it() -> None:
    """Each job has its own group. An estimate from the queue rate would ignore their sizes."""
    capacity = ClusterCapacity("local", 2, None, 1000 * GIB, 0)
    jobs = [
        job(number, memory_bytes=GIB + number, queued_at=number / 1000) for number in range(1, 400)
    ]  # noqa: E501
    others = [replace(each, project="b", job_id=uuid.uuid4()) for each in jobs]
    view = snap(*jobs, *others, capacities=(capacity,), now=100.0)
    head, empty = _of_many_groups(view)
    assert len(head.jobs) == LINE_CANDIDATES_MAX
    usual = UsualSeconds({KIND: 60.0, ("b", "pipeline_execution"): 60.0})
    fifth = jobs[4]
    found = forecast(empty, head, usual, [fifth.job_id])
    assert _after(found, fifth) == 240.0
    high = job(99_999, memory_bytes=7 * GIB, priority=Priority.HIGH, queued_at=100.0)
    asked = replace(head, jobs=(*head.jobs, high))
    assert _after(forecast(empty, asked, usual, [high.job_id]), high) == 0.0


def test_a_job_behind_others_that_were_not_read_is_not_forecast() -> None:
    """A small job could start now, but so could the jobs before it."""
    jobs = [
        job(number, memory_bytes=GIB + number, queued_at=number / 1000) for number in range(1, 400)
    ]  # noqa: E501
    head, empty = _of_many_groups(snap(*jobs, now=100.0))
    new = job(99_999, memory_bytes=1, queued_at=100.0)
    found = forecast(empty, replace(head, jobs=(*head.jobs, new)), MINUTE, [new.job_id])
    assert (dict(found.starts), found.complete, found.until_seconds) == ({}, False, 0.0)


def test_with_too_many_lines_there_is_no_forecast() -> None:
    jobs = [
        job(number, project=f"p{number}", memory_bytes=GIB + number)
        for number in range(1, LINE_CANDIDATES_MAX + 2)
    ]
    view = snap(*jobs)
    assert queue_head(replace(view, waiting=()), ListedQueue(view)) is None


_durations = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y"])),
    st.integers(2, 60).map(float),
    min_size=1,
)
_waiting = st.lists(
    st.builds(
        lambda number, project, kind, priority, memory, key, queued, before, cluster: job(
            number,
            project=project,
            type=kind,
            priority=priority,
            memory_bytes=memory,
            exclusive_key=key,
            queued_at=float(queued),
            not_before=float(before),
            cluster=cluster,
        ),
        st.integers(1, 500),
        st.sampled_from("ab"),
        st.sampled_from(["x", "y"]),
        st.sampled_from(PRIORITIES),
        st.sampled_from([1, 2, 6]),
        st.sampled_from(["", "", "", "twin:1"]),
        st.integers(300, 1000),
        st.sampled_from([0, 0, 0, 980, 1010, 1040]),
        st.sampled_from(["", "", "", "one", "gone"]),
    ),
    max_size=12,
    unique_by=lambda each: each.job_id,
)
_running = st.lists(
    st.builds(
        lambda number, cluster, project, kind, memory, began: allocation(
            number, cluster=cluster, project=project, type=kind, memory_bytes=memory, began=began
        ),
        st.integers(1, 500),
        st.sampled_from(["one", "two"]),
        st.sampled_from("ab"),
        st.sampled_from(["x", "y"]),
        st.integers(1, 3),
        st.integers(930, 1000).map(float),
    ),
    max_size=5,
)


@given(
    _waiting,
    _running,
    _durations,
    st.integers(1, 3),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3]),
)
def test_a_forecast_agrees_with_a_simulation_of_each_second(
    waiting: list[Candidate],
    running: list[Allocation],
    durations: dict[tuple[str, str], float],
    slots: int,
    window: int | None,
    limit: int | None,
) -> None:
    view = snap(
        *waiting,
        capacities=(
            ClusterCapacity("one", slots, None, 8, 0, start_window=window),
            ClusterCapacity("two", 2, None, 3, 0),
        ),
        allocations=tuple(running),
        limits=Limits(jobs_by_project={} if limit is None else {"a": limit}),
        now=1000.0,
        ageing_seconds=300.0,
        reserve_after_seconds=60.0,
    )
    usual = UsualSeconds(durations)
    found = _forecast(view, usual, *waiting, within_seconds=200)
    assert {
        job_id: (start.cluster, start.after_seconds) for job_id, start in found.starts.items()
    } == simulate(view, usual, 200)
    assert 0.0 <= found.until_seconds <= 200.0


@given(
    st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 8)), max_size=15),
    st.lists(st.integers(40, 99), max_size=3),
    st.integers(1, 3),
    st.tuples(st.integers(1, 4000), st.integers(1, 8)),
    st.tuples(st.integers(0, 3999), st.integers(0, 7)),
)
def test_a_smaller_last_job_of_one_line_never_starts_later(
    queue: list[tuple[int, int]],
    began: list[int],
    slots: int,
    large: tuple[int, int],
    less: tuple[int, int],
) -> None:
    """This holds for the last job of one class and project, because no job waits behind it."""
    waiting = [
        job(number, cpu_millicores=cpu, memory_bytes=memory)
        for number, (cpu, memory) in enumerate(queue, 1)
    ]
    new = job(99, cpu_millicores=large[0], memory_bytes=large[1])
    small = replace(
        new,
        cpu_millicores=max(1, large[0] - less[0]),
        memory_bytes=max(1, large[1] - less[1]),
    )
    capacity = ClusterCapacity("local", slots, 4000, 8, 0)
    running = tuple(
        allocation(number, cpu_millicores=500, memory_bytes=1, began=float(at))
        for number, at in enumerate(began)
    )

    def start(last: Candidate) -> float | None:
        view = snap(*waiting, last, capacities=(capacity,), allocations=running)
        return _after(_forecast(view, MINUTE, last), last)

    smaller, larger = start(small), start(new)
    assert larger is None or (smaller is not None and 0.0 <= smaller <= larger)


def test_a_job_that_only_the_next_pass_starts_is_forecast() -> None:
    """A pass that starts jobs changes the order of projects, so the next one can start more."""
    fields: dict[str, Any] = {"type": "x", "memory_bytes": 1, "queued_at": 300.0}
    critical, high = fields | {"priority": Priority.CRITICAL}, fields | {"priority": Priority.HIGH}
    waiting = [
        job(1, project="a", **high | {"queued_at": 301.0}),
        *(job(number, project="a", **critical) for number in (2, 3, 8)),
        job(4, project="b", **critical),
        job(5, project="a", **critical | {"memory_bytes": 6}),
        job(6, project="a", **high | {"memory_bytes": 6}),
        job(7, project="b", **high | {"queued_at": 301.0}),
    ]
    view = snap(
        *waiting,
        capacities=(
            ClusterCapacity("one", 2, None, 8, 0),
            ClusterCapacity("two", 2, None, 3, 0),
        ),
        now=1000.0,
        ageing_seconds=300.0,
        reserve_after_seconds=60.0,
    )
    usual = UsualSeconds({("a", "x"): 2.0})
    found = _forecast(view, usual, *waiting, within_seconds=200)
    assert {
        job_id: (start.cluster, start.after_seconds) for job_id, start in found.starts.items()
    } == simulate(view, usual, 200)


def test_a_forecast_among_twenty_thousand_waiting_jobs_considers_few_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    considered = 0

    def counted(view: Snapshot) -> Decision:
        nonlocal considered
        considered += len(view.waiting) + len(view.allocations)
        return admit(view)

    monkeypatch.setattr("jobs.admission.forecast.admit", counted)
    projects = "abcdefghij"
    waiting = tuple(
        job(
            number,
            project=projects[number % 10],
            memory_bytes=(1 + number % 4) * GIB,
            queued_at=number / 1000,
        )
        for number in range(1, 20_001)
    )
    usual = UsualSeconds({(name, KIND[1]): 60.0 for name in projects})
    running = tuple(
        allocation(number, project=projects[number % 10], began=50.0 + number / 3)
        for number in range(100)
    )
    capacity = ClusterCapacity("local", 100, None, 400 * GIB, 0)
    view = snap(capacities=(capacity,), allocations=running)
    new = replace(waiting[0], job_id=uuid.UUID(int=99_999), queued_at=100.0)
    found = forecast(view, QueueHead((*waiting, new)), usual, [new.job_id])
    assert not found.complete
    assert found.until_seconds > 30
    assert considered <= WORK_MAX + 1000, "one decision may exceed the bound"
