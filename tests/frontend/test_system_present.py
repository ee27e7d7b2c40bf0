"""Texts and bars of the state of the installation."""

from typing import Any

import pytest

from mimir.frontend.pages.system.present import BAR_WIDTH, page_context

SYSTEM: Any = {
    "headline": {"level": "ok", "message": "", "remedy": ""},
    "components": [],
    "queues": [],
    "workers": [],
    "workers_total": 0,
    "capacity": [],
    "limits": [],
    "storage": {
        "artifact_bytes": 0,
        "artifact_free_bytes": None,
        "artifact_total_bytes": None,
        "database_bytes": 0,
        "log_bytes": 0,
    },
    "versions": {},
    "failures": [],
    "reconcile": {"lag_seconds": None},
}
WORKER = {
    "job": "0192f0aa-1111-7000-8000-0000e31b7c90",
    "attempt": 1,
    "project": "demo",
    "type": "ml_training",
    "name": "",
    "cluster": "local",
    "since": "2026-11-23T14:00:00Z",
    "memory_bytes": 2**30,
    "memory_limit_bytes": 4 * 2**30,
    "cpu_millicores": 1700,
    "cpu_limit_millicores": 2000,
}
CLUSTER = {
    "cluster": "local",
    "launcher": "process",
    "region": "",
    "enabled": True,
    "jobs": 4,
    "used_jobs": 1,
    "cpu_millicores": 8000,
    "used_cpu_millicores": 500,
    "memory_bytes": 2**34,
    "used_memory_bytes": 2**30,
    "gpus": 0,
    "used_gpus": 0,
    "starting": 0,
    "start_window": 32,
    "reached_at": None,
    "unreachable_message": "",
}


@pytest.mark.parametrize(
    ("memory", "filled", "percent", "tone"),
    [
        (2**30, BAR_WIDTH / 4, 25, "run"),
        (3.5 * 2**30, 115.5, 88, "warn"),
        (4 * 2**30, BAR_WIDTH, 100, "failed"),
        (5 * 2**30, BAR_WIDTH, 125, "failed"),
    ],
)
def test_a_bar_stays_inside_its_track_and_warns_before_the_limit(
    memory: float, filled: float, percent: int, tone: str
) -> None:
    bar = page_context(
        SYSTEM | {"workers": [(WORKER | {"memory_bytes": memory})], "workers_total": 1}
    )["workers"][0]["memory_bar"]
    assert (bar["filled"], bar["percent"], bar["tone"]) == (filled, percent, tone)


def test_an_unmeasured_value_has_no_bar() -> None:
    worker = page_context(
        SYSTEM
        | {
            "workers": [(WORKER | {"memory_bytes": None, "cpu_millicores": None})],
            "workers_total": 1,
        }
    )["workers"][0]
    assert (worker["memory_bar"], worker["cpu"]) == (None, "")
    assert page_context(SYSTEM)["storage_bar"] is None


def test_a_worker_is_named_by_its_job_or_its_role() -> None:
    named = page_context(
        SYSTEM | {"workers": [WORKER, (WORKER | {"name": "Nightly"})], "workers_total": 30}
    )
    assert [worker["title"] for worker in named["workers"]] == ["Training e31b7c90", "Nightly"]
    assert named["workers_cut"] == 28


@pytest.mark.parametrize(
    ("state", "shape", "word"),
    [("alive", "succeeded", "healthy"), ("late", "warn", "late"), ("away", "failed", "down")],
)
def test_a_part_has_a_shape_and_a_word_for_its_state(state: str, shape: str, word: str) -> None:
    row = {
        "component": "dispatcher",
        "instance": "a:1",
        "started_at": None,
        "beat_at": None,
        "age_seconds": 3.0,
        "state": state,
    }
    part = page_context(SYSTEM | {"components": [row]})["parts"][0]
    assert (part["title"], part["shape"], part["word"]) == ("Dispatcher", shape, word)


def test_capacity_shows_requested_and_total() -> None:
    clusters = page_context(
        SYSTEM | {"capacity": [(CLUSTER | {"jobs": None}), (CLUSTER | {"gpus": 4})]}
    )["capacity"]
    assert [
        (resource["word"], resource["used"], resource["most"])
        for resource in clusters[0]["capacity_rows"]
    ] == [
        ("Jobs", "1", ""),
        ("CPU", "0.5", "8"),
        ("Memory", "1 GiB", "16 GiB"),
    ]
    assert clusters[1]["capacity_rows"][3]["word"] == "GPUs"


@pytest.mark.parametrize(
    ("scope", "key", "word"),
    [
        ("global", "", "All jobs"),
        ("type", "ml_training", "Training jobs"),
        ("project", "demo", "Project demo"),
    ],
)
def test_a_limit_names_its_resource(scope: str, key: str, word: str) -> None:
    row = {"scope": scope, "key": key, "max_jobs": None, "paused": True, "running": 0}
    assert page_context(SYSTEM | {"limits": [row]})["limits"][0]["word"] == word


def test_failure_reasons_are_readable_and_counted() -> None:
    rest = {"last_at": "", "job": None, "remedy": ""}
    failures = [
        {"reason": "out_of_memory", "count": 3, **rest},
        {"reason": "exit_code", "count": 2, **rest},
    ]
    shown = page_context(SYSTEM | {"failures": failures})
    assert ([row["word"] for row in shown["failures"]], shown["failures_total"]) == (
        ["Out of memory", "Exit code"],
        5,
    )
