"""The cache of job types: one request per minute, and pages without a response of the API."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from mimir.frontend import job_types as module
from mimir.frontend.api_client import Api, Unavailable
from mimir.frontend.job_types import JobTypes
from tests.support.job_types import job_types_answer


class FakeApi:
    """API that responds or fails, and counts the requests."""

    def __init__(self) -> None:
        self.answer: Mapping[str, Any] | None = job_types_answer()
        self.requests = 0
        self.asked = threading.Event()

    def get(self, path: str) -> Mapping[str, Any]:
        assert path == "job-types/"
        self.requests += 1
        self.asked.set()
        if self.answer is None:
            raise Unavailable
        return self.answer


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time of the cache's clock."""
    clock = [time.monotonic()]
    monkeypatch.setattr("mimir.frontend.job_types.time.monotonic", lambda: clock[0])
    return clock


def _refresh(cache: JobTypes, api: FakeApi) -> None:
    cache.refresh(cast("Api", api))


def test_an_answer_is_used_for_a_minute_and_then_refreshed(now: list[float]) -> None:
    cache, api = JobTypes(), FakeApi()
    _refresh(cache, api)
    _refresh(cache, api)
    assert (api.requests, cache.all()["ml_training"].title) == (1, "Training")
    now[0] += module.FRESH_SECONDS
    api.asked.clear()
    _refresh(cache, api)
    assert api.asked.wait(10)
    assert api.requests == 2


def test_a_missing_answer_is_tolerated_and_requested_again(now: list[float]) -> None:
    cache, api = JobTypes(), FakeApi()
    api.answer = None
    _refresh(cache, api)
    assert cache.all() == {}
    _refresh(cache, api)
    assert api.requests == 1
    now[0] += module.RETRY_SECONDS
    api.answer = job_types_answer()
    _refresh(cache, api)
    assert "ml_training" in cache.all()


@pytest.mark.parametrize("answer", [{}, {"results": [{"type": "x"}]}, {"results": None}])
def test_a_response_of_another_shape_is_ignored(answer: dict[str, Any], now: list[float]) -> None:
    cache, api = JobTypes(), FakeApi()
    api.answer = answer
    _refresh(cache, api)
    assert cache.all() == {}


@pytest.mark.parametrize(
    ("function", "known", "unknown"),
    [
        (module.type_title, "Training", "Ml training"),
        (module.type_icon, "ml_training", "jobs"),
        (module.type_subject, "model", None),
        (module.type_output, ("model", "model"), None),
        (lambda kind: module.derived_title(kind, {"model": "m", "dataset": "d"}), "Train m on d",
         "Ml training"),
        (lambda kind: module.derived_title(kind, {}), "Training", "Ml training"),
    ],
)  # fmt: skip
def test_pages_have_a_text_with_and_without_the_types(
    function: Callable[[str], object],
    known: object,
    unknown: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert function("ml_training") == known
    monkeypatch.setattr(module, "job_types", JobTypes())
    assert function("ml_training") == unknown
