"""The page that compares two jobs."""

import datetime as dt
from typing import Any

import pytest

from jobs.queries.comparison import Group
from mimir.frontend.pages.job.comparison_table import (
    GROUPS,
    compare_url,
    compared,
    options,
)


def _row(group: str, path: str, a: Any, b: Any, unit: str = "", **fields: Any) -> Any:
    known = {"in_a": True, "in_b": True, "differs": a != b}
    return {"group": group, "path": path, "unit": unit, "a": a, "b": b, **known, **fields}


def _compared(*rows: Any) -> Any:
    job = {"type": "ml_training"}
    differing = sum(row["differs"] for row in rows)
    found: Any = {"a": job, "b": job, "rows": rows, "differing": differing, "truncated": False}
    return compared(found)


def _cells(row: Any) -> tuple[str, list[str], str]:
    shown = _compared(row)["groups"][0]["rows"][0]
    return shown["title"], shown["cells"], shown["change"]


def test_every_group_has_a_title() -> None:
    assert list(GROUPS) == [group.value for group in Group]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            _row("request", "timeout_seconds", 60, 90, "seconds"),
            ("Time limit", ["1 min", "1 min 30 s"], "+30 s (50\u00a0%)"),
        ),
        (
            _row("request", "resources.memory_max", "8Gi", None),
            ("Retried with up to", ["8 GiB", ""], ""),
        ),
        (
            _row("run", "peak_memory_bytes", 2**30, 2**29, "bytes"),
            ("Peak memory", ["1 GiB", "512 MiB"], "\u2212512 MiB (50\u00a0%)"),
        ),
        (
            _row("time", "step[clean]", None, 4.0, "seconds", in_a=False),
            ("Step clean", ["", "4.0 s"], ""),
        ),
        (
            _row("time", "running[training]", 2.0, 4.0, "seconds"),
            ("Training", ["2.0 s", "4.0 s"], "+2.0 s (100\u00a0%)"),
        ),
        (
            _row("parameters", "hyperparameters.max_depth", None, 3),
            ("Hyperparameters: max_depth", ["", "3"], ""),
        ),
        (
            _row("parameters", "features", ["a", "b"], ["b", "c"]),
            ("Features", ["a, b", "b, c"], "added: c; removed: a"),
        ),
        (
            _row("parameters", "features", ["a", "b"], ["b", "a"]),
            ("Features", ["a, b", "b, a"], "another order"),
        ),
        (_row("inputs", "data.version", 1, 2), ("data version", ["1", "2"], "+1 (100\u00a0%)")),
        (
            _row("result", "steps[clean].rows", 3, None, in_b=False),
            ("Step clean: rows", ["3", ""], ""),
        ),
        (_row("result", "metrics.r2", 0.0, 0.5), ("metrics.r2", ["0", "0.5"], "+0.5")),
    ],
)
def test_a_difference(row: Any, expected: Any) -> None:
    assert _cells(row) == expected


def test_equal_values_are_listed_separately() -> None:
    shown = _compared(
        _row("run", "status", "failed", "succeeded"), _row("request", "priority", "low", "low")
    )
    assert [group["title"] for group in shown["groups"]] == ["Run"]
    assert [(row["title"], row["group"]) for row in shown["equal"]] == [("Priority", "Request")]


def test_the_chosen_jobs_can_be_selected_even_if_they_are_not_listed() -> None:
    def job(number: int) -> Any:
        return {
            "id": f"job-{number}",
            "created_at": f"2026-11-{number:02d}T12:00:00+00:00",
            "name": f"n{number}",
            "status_label": "Failed",
        }

    now = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    found = options([job(20), job(19)], [job(3), job(20)], now)
    assert [one["id"] for one in found] == ["job-20", "job-19", "job-3"]
    assert found[0]["text"] == "n20 · Failed · 20 Nov · job-20"


def test_the_address_names_both_jobs() -> None:
    assert compare_url("demo", "1", "2") == "/projects/demo/jobs/compare/?a=1&b=2"
