"""The bar, the legend and the table of a job's time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import WorkStage
from jobs.queries.time_phases import Cause
from mimir.frontend.pages.job.time_bar import (
    CAUSES,
    GAP,
    LEGEND_MAX,
    STAGES,
    TABLE_MAX,
    WIDTH,
    phase_label,
    time_spent,
)


def _time(*rows: tuple[str, str, float], is_live: bool = False) -> Any:
    phases = [
        {
            "cause": cause,
            "detail": detail,
            "seconds": seconds,
            "from": "2026-11-30T12:00:00+00:00",
            "to": "2026-11-30T12:00:00+00:00",
            "attempt": 1,
        }
        for cause, detail, seconds in rows
    ]
    total = sum(seconds for _, _, seconds in rows)
    return {"seconds": total, "is_live": is_live, "phases": phases, "causes": []}


def _shown(*rows: tuple[str, str, float], is_live: bool = False) -> Any:
    shown = time_spent(_time(*rows, is_live=is_live))
    assert shown is not None
    return shown


def test_every_cause_and_every_stage_has_a_label() -> None:
    assert set(CAUSES) == {cause.value for cause in Cause}
    assert set(STAGES) == {stage.value for stage in WorkStage}


@pytest.mark.parametrize(
    ("cause", "detail", "label"),
    [
        ("queued", "", "Waiting in the queue"),
        ("step", "clean", "Step clean"),
        ("running", "training", "Training"),
        ("cluster", "unschedulable_memory", "Delayed by the cluster: unschedulable memory"),
        ("a_new_cause", "", "A new cause"),
    ],
)
def test_the_label_of_a_phase(cause: str, detail: str, label: str) -> None:
    assert phase_label(cause, detail) == label


def test_nothing_is_shown_without_a_time() -> None:
    assert time_spent(None) is None
    nothing: Any = {}
    assert time_spent(nothing) is None
    assert time_spent(_time()) is None


def test_equal_causes_are_summed_in_the_order_of_their_first_phases() -> None:
    shown = _shown(
        ("queued", "", 10.0), ("step", "a", 20.0), ("queued", "", 5.0), ("step", "b", 65.0)
    )
    assert [(row["label"], row["seconds"], row["count"]) for row in shown["parts"]] == [
        ("Waiting in the queue", 15.0, 2),
        ("Step a", 20.0, 1),
        ("Step b", 65.0, 1),
    ]
    assert [row["percent"] for row in shown["legend"]] == ["15\u00a0%", "20\u00a0%", "65\u00a0%"]
    assert [one.number for one in shown["segments"]] == ["1", "2", "3"]


def test_a_trivial_part_is_in_the_table_and_not_in_the_bar() -> None:
    shown = _shown(("queued", "", 0.5), ("step", "a", 99.5))
    assert [one.title.partition(":")[0] for one in shown["segments"]] == ["Step a"]
    assert [row["percent"] for row in shown["parts"]] == ["below 1\u00a0%", "100\u00a0%"]
    assert shown["segments"][0].width == WIDTH


def test_many_short_steps_are_one_segment() -> None:
    shown = _shown(*(("step", f"s{number}", 0.5) for number in range(200)))
    assert [(one.title, one.width) for one in shown["segments"]] == [
        ("200 shorter parts: 1 min 40 s, 100\u00a0%", WIDTH)
    ]


def test_the_legend_has_the_largest_parts() -> None:
    shown = _shown(*(("step", f"s{number}", 10.0 + number) for number in range(10)))
    assert [row["label"] for row in shown["legend"]] == [f"Step s{n}" for n in range(4, 10)]
    assert len(shown["legend"]) == LEGEND_MAX
    assert [one.number for one in shown["segments"]][:5] == ["", "", "", "", "1"]


def test_a_live_job_says_what_it_does_now() -> None:
    shown = _shown(("queued", "", 1.0), ("image_pull", "", 2.0), is_live=True)
    assert (shown["now"], shown["now_since"]) == ("Pulling the image", "2026-11-30T12:00:00+00:00")
    assert _shown(("queued", "", 1.0))["now"] == ""


_ROWS = st.lists(
    st.tuples(
        st.sampled_from([*(cause.value for cause in Cause), "other"]),
        st.sampled_from(["", "a", "b", "training"]) | st.integers(0, 500).map(str),
        st.floats(0.000001, 1e6),
    ),
    min_size=1,
    max_size=TABLE_MAX * 2,
)


@given(_ROWS)
def test_the_table_has_the_whole_time_and_the_bar_its_whole_width(rows: Any) -> None:
    shown = _shown(*rows)
    total = sum(seconds for _, _, seconds in rows)
    assert sum(row["seconds"] for row in shown["parts"]) == pytest.approx(total)
    assert len(shown["parts"]) <= TABLE_MAX
    assert len(shown["legend"]) <= LEGEND_MAX
    segments = shown["segments"]
    x = 0.0
    for one in segments:
        assert one.x == pytest.approx(x, abs=0.05)
        x = one.x + one.width + GAP
    if segments:
        assert x - GAP == pytest.approx(WIDTH, abs=0.5)
