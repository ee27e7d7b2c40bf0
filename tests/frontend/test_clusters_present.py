"""Cluster texts, and the conversion of a form to a request and back."""

from typing import Any

import pytest

from mimir.frontend.forms import Form
from mimir.frontend.pages.clusters.present import FIELDS, body_of, cluster_row, form_of
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.present import offers_of, with_places

ROW: Any = {
    "name": "eu-1",
    "launcher": "kubernetes",
    "enabled": True,
    "region": "eu",
    "context": "eu-main",
    "namespace": "mimir",
    "orchestrator_url": "https://mimir.example.com",
    "model_cache": "claim",
    "node_selector": {"example.com/pool": "jobs", "disk": ""},
    "tolerations": [
        {"key": "jobs", "operator": "Exists"},
        {"operator": "Exists", "tolerationSeconds": 5, "effect": "NoExecute"},
    ],
    "gpu_node_selector": {},
    "gpu_tolerations": [],
    "away_grace_seconds": 900,
    "capacity": {"jobs": 100, "cpu": "64", "memory": None, "gpu": 0},
    "used": {"jobs": 3, "cpu": "500m", "memory": "90Gi", "gpu": 0},
    "health": {"state": "ok", "reached_at": None, "unreachable_since": None, "message": ""},
}
_PLACE = ("region", "context", "namespace", "orchestrator_url", "model_cache")
_SENT = (
    *_PLACE,
    "node_selector",
    "tolerations",
    "gpu_node_selector",
    "gpu_tolerations",
    "away_grace_seconds",
)


def test_an_unchanged_form_sends_the_stored_values() -> None:
    form = Form.posted(form_of(ROW, '"1"').values, *FIELDS)
    assert body_of(form, kubernetes=True) == {name: ROW[name] for name in _SENT} | {
        "capacity": ROW["capacity"]
    }
    assert (form.bad, form.value("etag")) == (False, '"1"')


def test_without_pods_only_region_and_capacity_are_sent() -> None:
    assert body_of(form_of(ROW), kubernetes=False) == {"region": "eu", "capacity": ROW["capacity"]}


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("jobs", "many", "Enter a whole number"),
        ("gpu", "1.5", "Enter a whole number"),
        ("away_grace_seconds", "10 min", "Enter a whole number, for example 600."),
        ("node_selector", "pool", "pool is not label=value."),
        ("tolerations", "[", "[ is not a JSON object"),
        ("gpu_tolerations", "[" * 5000, "is not a JSON object"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(name: str, typed: str, message: str) -> None:
    form = form_of(ROW)
    form.values[name] = typed
    body_of(form, kubernetes=True)
    assert message in form.errors[name]


def test_capacity_is_shown_in_numbers_and_bars_and_without_a_limit() -> None:
    resources = {resource["word"]: resource for resource in cluster_row(ROW)["capacity_rows"]}
    assert [(word, resource["used"], resource["most"]) for word, resource in resources.items()] == [
        ("Jobs", "3", "100"),
        ("CPU", "0.5", "64"),
        ("Memory", "90 GiB", ""),
    ]
    assert (resources["Jobs"]["bar"]["percent"], resources["Memory"]["bar"]) == (3, None)
    away = cluster_row(ROW | {"health": (ROW["health"] | {"state": "unreachable"})})
    assert (away["shape"], away["word"]) == ("failed", "unreachable")


def _places(*rows: tuple[str, str, bool]) -> Any:
    results = [
        {"name": name, "region": region, "enabled": enabled} for name, region, enabled in rows
    ]
    return {"places": {"results": results, "next": None}, "pipeline": {"results": [], "next": None}}


def test_a_form_offers_a_location_only_if_there_is_a_choice() -> None:
    schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "format": name} for name in ("cluster", "region", "name")
        },
    }

    def offered(got: Any, **texts: list[str]) -> list[str]:
        return list(with_places(schema, texts, got)["properties"])

    assert offered(_places(("local", "", True))) == ["name"]
    assert offered(_places(("local", "", True), ("b", "", True))) == ["cluster", "name"]
    assert offered(_places(("local", "", True), ("eu-1", "eu", True))) == [
        "cluster",
        "region",
        "name",
    ]
    assert offered(_places(("local", "", True)), cluster=["gone"]) == ["cluster", "name"], (
        "what a job asked for is shown"
    )
    names = offers_of(
        "pipeline_execution", {}, _places(("local", "", True), ("eu-1", "eu", False))
    ).names
    assert [choice.label for choice in names["cluster"]] == [
        "local",
        "eu-1 (eu, disabled: the job would wait)",
    ]
    assert [choice.value for choice in names["region"]] == ["eu"]


def test_a_next_step_that_clears_the_location_empties_the_field_and_marks_it() -> None:
    texts = {"cluster": ["eu-1"], "name": ["n"]}
    after, changed = request_schema.patched(
        "pipeline_execution", texts, '{"cluster": null, "region": null}'
    )
    assert (after["cluster"], "region" in after, changed) == ([""], False, {"cluster"})
    assert request_schema.body_of("pipeline_execution", after) == {
        "type": "pipeline_execution",
        "parameters": {},
        "name": "n",
    }
    after, changed = request_schema.patched("pipeline_execution", texts, '{"cluster": "us-1"}')
    assert (after["cluster"], changed) == (["us-1"], {"cluster"})
