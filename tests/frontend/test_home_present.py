"""Home page of a project.

Bars per hour, runs behind the latest results, and the next step after a failure.
"""

from typing import Any

import pytest

from mimir.frontend.pages.home.present import (
    attention_row,
    hour_bars,
    producer_row,
    result_row,
    run_bars,
)

JOB: Any = {
    "id": "01a2-77",
    "name": "",
    "type": "ml_training",
    "parameters": {},
    "finished_at": None,
    "created_at": "2026-11-25T07:00:00+00:00",
}


def _hour(succeeded: int = 0, failed: int = 0, cancelled: int = 0) -> Any:
    return {
        "at": "2026-11-25T07:00:00+00:00",
        "succeeded": succeeded,
        "failed": failed,
        "cancelled": cancelled,
    }


def test_an_hour_is_a_bar_with_failures_on_top_under_a_cross() -> None:
    shown = hour_bars([_hour()] * 22 + [_hour(4), _hour(2, 1, 1)])
    assert [(bar["tone"], bar["y"], bar["height"]) for bar in shown["bars"]] == [
        ("ok", 14.0, 60.0),
        ("ok", 44.0, 30.0),
        ("wait", 29.0, 15.0),
        ("failed", 14.0, 15.0),
    ]
    assert [bar["x"] for bar in shown["bars"]] == [286.0, 299.0, 299.0, 299.0]
    assert [cross["y"] for cross in shown["crosses"]] == [9.0]
    assert shown["label"] == "6 succeeded, 1 failed, 1 cancelled"
    assert len(shown["rows"]) == 2


def test_a_rare_failure_among_very_many_is_visible() -> None:
    assert [bar["height"] for bar in hour_bars([_hour(100_000, 1)])["bars"]] == [60.0, 2.0]
    assert hour_bars([_hour()])["label"] == "none"


def test_runs_show_their_status_by_shape_and_text() -> None:
    runs: list[Any] = [
        {"job": "a", "status": "succeeded", "seconds": 10.0, "finished_at": "x"},
        {"job": "b", "status": "failed", "seconds": 5.0, "finished_at": "x"},
        {"job": "c", "status": "cancelled", "seconds": None, "finished_at": "x"},
        {"job": "d", "status": "queued", "seconds": None, "finished_at": None},
    ]
    shown = run_bars(runs)
    assert [(bar["tone"], bar["height"]) for bar in shown["bars"]] == [
        ("ok", 16),
        ("failed", 12),
        ("stop", 8),
        ("run", 6),
    ]
    assert [bar["title"] for bar in shown["bars"]] == [
        "succeeded, took 10 s",
        "failed, took 5.0 s",
        "cancelled",
        "open",
    ]
    assert (
        shown["label"] == "Last 4 runs: 1 succeeded, 1 failed, 1 cancelled, 1 open; the last queued"
    )
    assert run_bars(runs[:1] * 3)["label"] == "Last 3 runs: all succeeded"
    assert (run_bars(runs[:1])["label"], run_bars([])["label"]) == ("One run: succeeded", "No run")


@pytest.mark.parametrize(
    ("steps", "retry", "url", "label"),
    [
        ([], False, "/jobs/01a2-77/", "See why"),
        ([{"label": "Run again", "patch": {}}], True, "/jobs/01a2-77/", "Run again"),
        ([{"label": "Change and run again", "patch": None}], False, "/jobs/01a2-77/", "See why"),
        (
            [
                {"label": "Run again with 4 GiB", "patch": {"resources": {"memory": "4Gi"}}},
                {"label": "Run again", "patch": {}},
            ],
            False,
            "/projects/p/jobs/new/?from=01a2-77&patch=%7B%22resources%22%3A+%7B%22memory%22%3A+%224Gi%22%7D%7D",
            "Run again with 4 GiB",
        ),
    ],
)
def test_the_best_action_for_a_failure_performs_it_or_opens_its_page(
    steps: list[Any], retry: bool, url: str, label: str
) -> None:
    row = attention_row(
        {
            "kind": "failed_job",
            "job": JOB,
            "title": "Train",
            "summary": "Ran out.",
            "next_steps": steps,
        },
        "p",
    )
    assert (row["retry"], row["url"], row["label"]) == (retry, url, label)


def test_results_and_producers_lead_to_their_versions() -> None:
    twin: Any = {"kind": "twin", "name": "s", "version": 12, "job": "j", "at": "x"}
    assert (result_row(twin, "p")["url"], result_row(twin, "p")["tag"]) == (
        "/projects/p/twins/s/revisions/12/",
        "revision 12",
    )
    unknown = {"usual_seconds": None, "last_good_at": None}
    model: Any = {
        "kind": "model",
        "name": "m",
        "version": 1200,
        "job_type": "ml_training",
        "title": "Train m",
        **unknown,
    }
    failed = [{"job": "a", "status": "failed", "seconds": 1.0, "finished_at": "x"}]
    shown = producer_row((model | {"last": failed}), "p")
    assert (shown["url"], shown["tag"], shown["behind"]) == (
        "/projects/p/models/m/?version=1200",
        "v1,200",
        True,
    )
