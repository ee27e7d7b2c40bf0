"""The submit form: patches, defaults of the previous algorithm, curl, refusals, preselection."""

from typing import Any

import pytest

from mimir.frontend import schema_form
from mimir.frontend.api_client import ApiError
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.present import preselected, refusals


def test_a_patch_changes_the_form_and_marks_what_differs() -> None:
    job: dict[str, Any] = {
        "type": "pipeline_execution",
        "name": "nightly",
        "parameters": {"pipeline": "p"},
        "resources": {"cpu": "1", "memory": "256Mi", "gpu": 0},
        "priority": "normal",
        "timeout_seconds": 60,
        "max_attempts": 1,
        "labels": {},
    }
    texts = request_schema.texts_of_job(job)
    patched, changed = request_schema.patched(
        job["type"], texts, '{"resources": {"memory": "512Mi"}}'
    )
    assert (patched["resources.memory"], patched["resources.cpu"], changed) == (
        ["512Mi"],
        ["1"],
        {"resources.memory"},
    )
    assert request_schema.patched(job["type"], texts, '{"resources": {}}') == (
        texts,
        {"resources.cpu", "resources.memory"},
    )
    for nonsense in ("", "{", "[]", '{"resources": 3}', '{"parameters": "x"}', '{"unknown": 1}'):
        assert request_schema.patched(job["type"], texts, nonsense)[0]["resources.memory"] == [
            "256Mi"
        ]


def test_the_maximum_memory_of_a_retry_is_kept_and_raised_by_a_patch() -> None:
    job: dict[str, Any] = {
        "type": "pipeline_execution",
        "name": "",
        "parameters": {"pipeline": "p"},
        "resources": {"cpu": "1", "memory": "4Gi", "memory_max": "4Gi", "gpu": 0},
    }
    texts = request_schema.texts_of_job(job)
    assert texts["resources.memory_max"] == ["4Gi"]
    patched, changed = request_schema.patched(
        job["type"], texts, '{"resources": {"memory": "8Gi", "memory_max": "8Gi"}}'
    )
    assert changed == {"resources.memory", "resources.memory_max"}
    body = request_schema.body_of(job["type"], patched)
    assert body["resources"] == {"cpu": "1", "memory": "8Gi", "memory_max": "8Gi"}
    texts["resources.memory_max"] = [""]
    assert "memory_max" not in request_schema.body_of(job["type"], texts)["resources"]


def test_the_defaults_of_the_previous_algorithm_are_not_sent() -> None:
    form = {
        "parameters.algorithm": ["random_forest"],
        "parameters.hyperparameters.min_samples_leaf": ["20"],
    }
    assert request_schema.settled("ml_training", form, "hist_gradient_boosting") == {
        "parameters.algorithm": ["random_forest"]
    }
    assert request_schema.settled("ml_training", form, "random_forest") == form
    typed = {**form, "parameters.hyperparameters.min_samples_leaf": ["21"]}
    assert request_schema.settled("ml_training", typed, "hist_gradient_boosting") == typed


def test_the_request_as_curl_can_be_pasted_into_a_shell() -> None:
    shown = request_schema.curl("http://h/api/", {"name": "it's \u202e mine"})
    assert shown.startswith("curl -X POST http://h/api/ \\\n")
    assert shown.endswith("""-d '{\n  "name": "it'\\''s \\u202e mine"\n}'""")


def test_each_error_message_is_shown_at_its_field() -> None:
    detail = {
        "parameters.model": "must be a name",
        "parameters.test_size": "must be less",
        "resources.memory": "is none",
        "odd": "is odd",
    }
    errors, general = refusals(
        "ml_training", {}, ApiError(400, "invalid", "The job cannot be accepted.", detail)
    )
    assert {name: errors.get(name) for name in detail if name != "odd"} == {
        "parameters.model": "Must be a name.",
        "parameters.test_size": "Must be less.",
        "resources.memory": "Is none.",
    }
    assert general == ["odd: is odd"]


@pytest.mark.parametrize("typed", ["21,5", " -0,25 "])
def test_a_number_with_a_decimal_comma_is_refused_with_the_point_to_use(typed: str) -> None:
    texts = {"parameters.test_size": [typed], "parameters.hyperparameters.learning_rate": [typed]}
    error = ApiError(400, "invalid", "", dict.fromkeys(texts, "must be a number"))
    errors, general = refusals("ml_training", texts, error)
    assert set(errors.values()) == {f"Use a point: {typed.strip().replace(',', '.')}"}
    assert (len(errors), general) == (2, [])


ONE_TYPE = {"types": [{"name": "station", "key": {"name": "Station_Id"}, "properties": []}]}
TWIN_TEXTS = {"parameters.twin": ["s"], "parameters.dataset": ["d"]}
ROWS = {
    "results": [
        {
            "name": "d",
            "version": {
                "number": 1,
                "schema": [
                    {"name": "station_id", "type": "BIGINT"},
                    {"name": "at", "type": "DATE"},
                ],
            },
        }
    ]
}


@pytest.mark.parametrize(
    ("types", "texts", "type_", "key"),
    [
        (1, {}, "station", "station_id"),
        (1, {"parameters.key": ["at"]}, "station", "at"),
        (2, {}, "", ""),
        (2, {"parameters.type": ["station"]}, "station", "station_id"),
    ],
)
def test_the_only_entity_type_of_a_twin_and_its_key_are_preselected(
    types: int, texts: dict[str, list[str]], type_: str, key: str
) -> None:
    definition = {
        "types": [*ONE_TYPE["types"], {"name": "other", "key": {"name": "x"}, "properties": []}][
            :types
        ]
    }
    found = preselected(
        "digital_twin_update",
        {**TWIN_TEXTS, **texts},
        {"definition": {"definition": definition}, "dataset": ROWS},
    )
    assert (
        schema_form.given(found, "parameters.type"),
        schema_form.given(found, "parameters.key"),
    ) == (type_, key)
