"""The line about the start of a job: its states, its buttons, and the position of the slider."""

import json
from typing import Any

import pytest

from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.start_line import memory_slider, start_line

KIND = "pipeline_execution"


def _start(**fields: Any) -> dict[str, Any]:
    start = {
        "starts_now": False,
        "cluster": "local",
        "position": 3,
        "blocked_by": "capacity",
        "detail": "3rd in the queue. Starts when a job ends.",
        "estimate_seconds": 130.0,
        "rules": [],
        "alternatives": [],
    }
    return {"answer": {"start": start | fields}}


def _alternative(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {"request": request, "detail": "…", "cluster": "local", "estimate_seconds": seconds}


def test_it_says_when_a_job_would_start_or_why_it_would_wait() -> None:
    waits = start_line(_start(), lacks=False)
    assert waits["state"] == "waits"
    assert waits["text"] == "Would wait: 3rd in the queue. Starts when a job ends."
    assert waits["estimate"] == "About 2 min."
    assert start_line(_start(estimate_seconds=None), lacks=False)["estimate"] == ""
    detail = "Would start now on local."
    now = start_line(_start(starts_now=True, detail=detail, estimate_seconds=0.0), lacks=False)
    assert (now["state"], now["text"], now["estimate"]) == ("now", detail, "")
    detail = "Cannot start: requests more than any cluster has."
    never = start_line(
        _start(blocked_by="never_fits", detail=detail, estimate_seconds=None), lacks=False
    )
    assert (never["state"], never["text"]) == ("never", detail)


@pytest.mark.parametrize("found", [{}, {"refused": object()}, {"answer": {"start": None}}])
def test_without_an_answer_it_says_what_is_missing(found: dict[str, Any]) -> None:
    lacks, other = (start_line(found, lacks=lacks) for lacks in (True, False))
    assert {lacks["state"], other["state"]} == {"unknown"}
    assert lacks["text"] == "Fill in the required fields to see when it would start."
    assert "required" not in other["text"]
    assert lacks["options"] == []


@pytest.mark.parametrize(
    ("request_", "seconds", "label", "field", "value"),
    [
        ({"resources": {"memory": "4Gi"}}, 0.0, "4 GiB: starts now", "resources.memory", "4Gi"),
        ({"resources": {"cpu": "500m"}}, 40.0, "500m CPU: in about 40 s", "resources.cpu", "500m"),
        ({"resources": {"gpu": 0}}, 0.0, "No GPU: starts now", "resources.gpu", "0"),
        ({"priority": "high"}, 300.0, "High priority: in about 5 min", "priority", "high"),
        ({"cluster": None, "region": None}, 0.0, "Any cluster: starts now", "cluster", ""),
    ],
)
def test_a_button_names_a_change_and_its_patch_fills_the_field(
    request_: dict[str, Any], seconds: float, label: str, field: str, value: str
) -> None:
    line = start_line(_start(alternatives=[_alternative(request_, seconds)]), lacks=False)
    [option] = line["options"]
    assert (option["label"], option["field"]) == (label, field)
    assert json.loads(option["patch"]) == request_
    typed = {"cluster": ["eu-1"], "region": ["eu"], "resources.gpu": ["1"], "name": ["mine"]}
    texts, _changed = request_schema.patched(KIND, typed, option["patch"])
    assert texts[field] == [value]
    assert texts["name"] == ["mine"]
    if field == "cluster":
        assert texts["region"] == [""]


@pytest.mark.parametrize(
    ("typed", "position", "text"),
    [
        ("4Gi", 12, "4 GiB"),
        ("512Mi", 9, "512 MiB"),
        ("3Gi", 12, "4 GiB"),
        ("1", 6, "64 MiB"),
        ("900Ti", 17, "128 GiB"),
        ("", 12, "4 GiB"),
        ("heaps", 12, "4 GiB"),
        ("0", 12, "4 GiB"),
    ],
)
def test_the_slider_stands_at_the_nearest_power_of_two(
    typed: str, position: int, text: str
) -> None:
    """The default limit of a pipeline is 4 GiB."""
    slider = memory_slider(KIND, {"resources.memory": [typed]})
    assert (slider["value"], slider["text"]) == (position, text)
    assert slider["low"] <= slider["value"] <= slider["high"]
