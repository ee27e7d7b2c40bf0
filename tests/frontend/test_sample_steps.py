"""Steps of the sample project.

Steps are completed by results of jobs, the first open step is next, and its form is prefilled. No
steps are shown after the last.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from mimir.frontend.pages.home.sample_steps import sample_steps
from mimir.lib import sample

EXISTING = [
    ("dataset", sample.HISTORY),
    ("model", sample.MODEL),
    ("dataset", sample.FORECAST),
    ("twin", sample.TWIN),
]


def test_each_step_is_marked_as_done_and_the_next_one_is_offered_with_its_form_prefilled() -> None:
    for done in range(4):
        producers: Any = [{"kind": kind, "name": name} for kind, name in EXISTING[:done]]
        steps = sample_steps("x", producers)
        assert [step["done"] for step in steps] == [number < done for number in range(4)]
        assert [step["next"] for step in steps] == [number == done for number in range(4)]
        query = parse_qs(urlsplit(steps[done]["url"]).query)
        job = sample.JOBS[done]
        assert query["type"] == [job["type"]]
        for name, value in job["parameters"].items():
            if isinstance(value, str):
                assert query[f"parameters.{name}"] == [value]
            if isinstance(value, list):
                assert sorted(query[f"parameters.{name}"]) == sorted(value)
    every: Any = [{"kind": kind, "name": name} for kind, name in EXISTING]
    assert sample_steps("x", every) == []
