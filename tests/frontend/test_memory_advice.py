"""Texts of recommended limits on the form, the job's page and in the history."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mimir.frontend.api_types.job_shapes import Basis, DryRun
from mimir.frontend.memory_advice import (
    cpu_text,
    form_recommendation,
    memory_advice,
    memory_text,
    source_text,
    used_value,
)
from mimir.frontend.pages.job import history

GIB = 2**30
BASIS: Basis = {
    "runs": 8,
    "memory_peak_bytes": 1228 * 2**20,
    "out_of_memory_runs": 0,
    "out_of_memory_limit_bytes": None,
    "cpu_runs": 8,
    "cpu_millicores": 400,
    "cpu_at_limit": False,
}
SOURCE = {"memory": "2Gi", "cpu": None, "runs": 12}


def _answer(memory: str | None, cpu: str | None, source: Any = None) -> DryRun:
    answer: Any = {
        "recommendation": {"memory": memory, "cpu": cpu, "compared_with": None, "basis": BASIS},
        "resources": {"recommended": source},
    }
    found: DryRun = answer
    return found


@pytest.mark.parametrize(
    ("basis", "text"),
    [
        (BASIS, "8 of 8 runs used at most 1.2 GiB."),
        (
            {**BASIS, "out_of_memory_runs": 1, "out_of_memory_limit_bytes": 2 * GIB},
            "7 of 8 runs used at most 1.2 GiB, 1 ran out of 2 GiB.",
        ),
        (
            {**BASIS, "runs": 3, "out_of_memory_runs": 3, "out_of_memory_limit_bytes": 4 * GIB},
            "3 of 3 runs ran out of memory, the largest with 4 GiB.",
        ),
    ],
)
def test_the_text_counts_the_runs_and_names_their_memory(basis: Basis, text: str) -> None:
    assert memory_text(basis) == text


def test_the_text_about_cpu_says_whether_the_limit_was_reached() -> None:
    assert cpu_text(BASIS) == "8 runs used at most 0.4 CPU for 95 % of their time."
    throttled: Basis = {**BASIS, "cpu_at_limit": True}
    assert cpu_text(throttled).endswith("of their time, which was the limit.")


def test_the_form_offers_each_limit_that_differs() -> None:
    found = form_recommendation(_answer("1536Mi", "500m"))
    assert found is not None
    assert found["automatic"] == ""
    assert [(row["button"], row["field"], row["value"]) for row in found["rows"]] == [
        ("Use 1.5 GiB", "memory", "1536Mi"),
        ("Use 500m CPU", "cpu", "500m"),
    ]
    assert form_recommendation(_answer(None, None)) is None
    assert form_recommendation(None) is None


def test_the_form_names_the_limits_that_an_empty_field_means() -> None:
    found = form_recommendation(_answer(None, None, SOURCE))
    assert found is not None
    assert found["automatic"] == ("Automatic: memory 2 GiB. 8 of 8 runs used at most 1.2 GiB.")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("memory=1536Mi", ("resources.memory", "1536Mi")),
        ("cpu=500m", ("resources.cpu", "500m")),
        ("gpu=8", None),
        ("memory", None),
        ("", None),
    ],
)
def test_a_use_button_fills_in_only_memory_or_cpu(given: str, used: object) -> None:
    assert used_value(given) == used


@pytest.mark.parametrize(
    ("peak", "limit", "memory", "shown"),
    [
        (GIB, 4 * GIB, "1536Mi", True),
        (3 * GIB, 4 * GIB, "1536Mi", False),  # neither little nor nearly all
        (GIB, 4 * GIB, "8Gi", False),  # this run used little, others need more
        (int(3.6 * GIB), 4 * GIB, "4608Mi", True),
        (GIB, 4 * GIB, None, False),
    ],
)
def test_an_ended_job_recommends_only_if_it_used_little_or_nearly_all_of_its_memory(
    peak: int, limit: int, memory: str | None, shown: bool
) -> None:
    job: Any = {"id": "j", "resources": {"memory_max": None}}
    recommendation = {"memory": memory, "cpu": None, "compared_with": None, "basis": BASIS}
    series: Any = {"results": [], "limit_bytes": limit, "recommendation": recommendation}
    found = memory_advice(job, series, peak, "/projects/p/jobs/new/")
    assert (found is not None) is shown
    if found:
        assert found["url"].startswith("/projects/p/jobs/new/?from=j&patch=%7B%22resources%22")
    live: Any = {**series, "recommendation": None}
    assert memory_advice(job, live, peak, "/") is None


@pytest.mark.parametrize(("most", "is_raised"), [("4Gi", True), ("8Gi", False), (None, False)])
def test_the_advice_raises_a_maximum_that_is_below_the_recommended_memory(
    most: str | None, is_raised: bool
) -> None:
    job: Any = {"id": "j", "resources": {"memory_max": most}}
    recommendation = {"memory": "5Gi", "cpu": None, "compared_with": None, "basis": BASIS}
    series: Any = {"results": [], "limit_bytes": 4 * GIB, "recommendation": recommendation}
    found = memory_advice(job, series, 4 * GIB, "/")
    assert found is not None
    [patch] = parse_qs(urlsplit(found["url"]).query)["patch"]
    resources = json.loads(patch)["resources"]
    assert resources == {"memory": "5Gi", **({"memory_max": "5Gi"} if is_raised else {})}


def test_the_history_names_the_source_of_the_limits() -> None:
    event: Any = {
        "seq": 1,
        "at": "2026-11-30T10:00:00+00:00",
        "attempt": 1,
        "kind": "job.submitted",
        "data": {"status": "queued", "recommended": SOURCE},
    }
    (row,) = history.history([event], "ada")["rows"]
    assert row["detail"] == "by ada, memory 2 GiB: recommended from 12 runs"
    assert source_text({"memory": None, "cpu": "500m", "runs": 3}) == (
        "500m CPU: recommended from 3 runs"
    )
    assert source_text(None) == ""
