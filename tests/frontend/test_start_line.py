"""The line about the start of a job: its states, its buttons, and the position of the slider."""

import json
from typing import Any, cast

import pytest

from mimir.frontend.api_client import ApiError, Unavailable
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.start_line import memory_slider, start_line
from mimir.frontend.pages.submit.views import _dry_run

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


def _alternative(request: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    return {"request": request, "detail": "…", "cluster": "local", "estimate_seconds": seconds}


def test_it_says_when_a_job_would_start_or_why_it_would_wait() -> None:
    waits = start_line(_start())
    assert waits["state"] == "waits"
    assert waits["text"] == "Would wait: 3rd in the queue. Starts when a job ends."
    assert waits["estimate"] == "About 2 min."
    assert start_line(_start(estimate_seconds=None))["estimate"] == ""
    detail = "Would start now on local."
    now = start_line(_start(starts_now=True, detail=detail, estimate_seconds=0.0))
    assert (now["state"], now["text"], now["estimate"]) == ("now", detail, "")
    detail = "Cannot start: requests more than any cluster has."
    never = start_line(_start(blocked_by="never_fits", detail=detail, estimate_seconds=None))
    assert (never["state"], never["text"]) == ("never", detail)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"lacks": True}, "Fill in the required fields to see when it would start."),
        ({"invalid": True}, "Fix the request to see when it would start."),
        ({"refused": object(), "invalid": False}, ""),
        ({"answer": {"start": None}}, ""),
        ({}, ""),
    ],
)
def test_without_an_answer_it_says_what_is_missing_and_nothing_else(
    found: dict[str, Any], text: str
) -> None:
    line = start_line(found)
    assert (line["state"], line["text"], line["options"]) == ("unknown", text, [])


def test_it_says_which_retries_no_cluster_can_hold() -> None:
    line = start_line(_start(retry_memory_limit="16Gi"))
    assert line["note"] == "Retries with more than 16 GiB fail: no cluster can hold them."
    assert start_line(_start(retry_memory_limit=None))["note"] == ""
    assert start_line(_start())["note"] == ""


class Orchestrator:
    """Orchestrator that fails an explained request, and returns a dry run without a start time."""

    def __init__(self, error: ApiError) -> None:
        self._error, self.queries = error, list[str]()

    def post(self, path: str, _body: object) -> dict[str, Any]:
        self.queries.append(path.partition("?")[2])
        if self.queries[-1] == "explain=1":
            raise self._error
        return {"start": None}


BUSY = ApiError(429, "explanations_busy", "Try again in 2 s.", {}, 2.0)
OLD = ApiError(400, "invalid", "explain: is not a query parameter.", {"explain": "is not"})
FULL = ApiError(429, "too_many", "The queue of this project is full.", {}, 30.0)


@pytest.mark.parametrize(
    ("error", "text", "seconds"),
    [(BUSY, "Waiting for the forecast of its start.", 2), (OLD, "", 0)],
)
def test_a_request_that_is_not_explained_is_checked_and_shown_without_its_start(
    error: ApiError, text: str, seconds: int
) -> None:
    orchestrator: Any = Orchestrator(error)
    found = _dry_run(orchestrator, "demo", {})
    assert orchestrator.queries == ["explain=1", "dry_run=1"]
    assert found["answer"] == {"start": None}
    line = start_line(found)
    assert (line["text"], line["retry_seconds"], line["options"]) == (text, seconds, [])


def test_other_refusals_are_shown() -> None:
    orchestrator: Any = Orchestrator(FULL)
    assert _dry_run(orchestrator, "demo", {}) == {"refused": FULL, "invalid": False}
    assert orchestrator.queries == ["explain=1"]
    wrong = ApiError(400, "invalid", "Not valid.", {"parameters.target": "is missing."})
    orchestrator = Orchestrator(wrong)
    assert _dry_run(orchestrator, "demo", {}) == {"refused": wrong, "invalid": True}
    with pytest.raises(Unavailable):
        _dry_run(cast("Any", Orchestrator(Unavailable())), "demo", {})


@pytest.mark.parametrize("status", [403, 409])
def test_a_request_that_was_not_checked_gets_no_reason(status: int) -> None:
    orchestrator: Any = Orchestrator(ApiError(status, "refused", "Not now.", {}))
    found = _dry_run(orchestrator, "demo", {})
    assert found == {}
    assert start_line(found)["text"] == ""


@pytest.mark.parametrize(
    ("request_", "seconds", "label", "field", "value"),
    [
        ({"resources": {"memory": "4Gi"}}, 0.0, "4 GiB: starts now", "resources.memory", "4Gi"),
        ({"resources": {"cpu": "500m"}}, 40.0, "500m CPU: in about 40 s", "resources.cpu", "500m"),
        ({"resources": {"gpu": 0}}, 0.0, "No GPU: starts now", "resources.gpu", "0"),
        ({"resources": {"gpu": 2}}, None, "2 GPUs: start time unknown", "resources.gpu", "2"),
        (
            {"resources": {"memory": "16Gi", "gpu": 0}},
            0.0,
            "16 GiB, No GPU: starts now",
            "resources.memory",
            "16Gi",
        ),
        ({"priority": "high"}, 300.0, "High priority: in about 5 min", "priority", "high"),
        ({"cluster": None, "region": None}, 0.0, "Any cluster: starts now", "cluster", ""),
    ],
)
def test_a_button_names_a_change_and_its_patch_fills_the_field(
    request_: dict[str, Any], seconds: float | None, label: str, field: str, value: str
) -> None:
    line = start_line(_start(alternatives=[_alternative(request_, seconds)]))
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
