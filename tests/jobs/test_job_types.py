"""Each job type has its packages, texts and schema, and the API lists it."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from jobs.types.digital_twin_update import outcome as digital_twin_update
from jobs.types.ml_inference import outcome as ml_inference
from jobs.types.ml_training import outcome as ml_training
from jobs.types.outcome import Outcome
from jobs.types.pipeline_execution import outcome as pipeline_execution
from jobs.types.registry import SPECS, derived_title, job_type_names
from projects.tokens.write import session_create
from tests.support import make

# The type checker compares these modules with the protocol.
OUTCOMES: list[Outcome[Any]] = [
    pipeline_execution,
    ml_training,
    ml_inference,
    digital_twin_update,
]
ICONS = Path("static/img/icons.svg").read_text()


def test_the_types_are_listed_in_the_order_of_forms() -> None:
    assert job_type_names()[:4] == [
        "pipeline_execution",
        "ml_training",
        "ml_inference",
        "digital_twin_update",
    ]


@pytest.mark.parametrize("name", job_type_names())
def test_a_type_has_inputs_an_outcome_and_a_worker(name: str) -> None:
    assert callable(import_module(f"jobs.types.{name}.inputs").resolve)
    outcome = import_module(f"jobs.types.{name}.outcome")
    assert callable(outcome.prepare)
    assert callable(outcome.apply)
    assert outcome.RESULT().fields, "a result has at least one field: the API document needs one"
    assert find_spec(f"jobs.worker.{name}.run") is not None
    assert outcome in OUTCOMES, "OUTCOMES in this file needs the outcome of each job type"


@pytest.mark.parametrize("name", job_type_names())
def test_the_texts_of_a_type_name_what_there_is(name: str) -> None:
    spec = SPECS[name]
    properties = spec.parameters["properties"]
    named = [field for _, field, _, _ in Formatter().parse(spec.job_title) if field]
    assert set(named) <= set(properties)
    assert {spec.subject, spec.output} - {None} <= set(properties)
    assert f'id="{spec.icon}"' in ICONS
    assert re.fullmatch(r"[a-z_]{1,32}", name)
    Draft202012Validator.check_schema(spec.parameters)


def test_a_title_uses_text_parameters_and_an_unknown_type_is_its_own_title() -> None:
    assert derived_title("ml_training", {"model": "m", "dataset": 5}) == "Train m on "
    assert derived_title("pipeline_execution", {"pipeline": "p"}) == "Pipeline p"
    assert derived_title("pipeline_execution", {"pipeline": "p"}, of_producer=True) == "p"
    assert derived_title("retired", {}) == "retired"


@pytest.mark.django_db
def test_the_api_lists_every_type_to_signed_in_users_only(client: Client) -> None:
    assert client.get("/api/v1/job-types/").status_code == 401
    headers = {"Authorization": f"Bearer {session_create(user=make.user()).token}"}
    answer = client.get("/api/v1/job-types/", headers=headers)
    rows = {row["type"]: row for row in answer.json()["results"]}
    assert list(rows) == job_type_names()
    training = rows["ml_training"]
    assert (training["title"], training["produces"]) == ("Training", ["model"])
    assert training["resources"]["requests"].keys() == {"cpu", "memory", "gpu"}
    assert r"\Z" not in answer.text
    Draft202012Validator.check_schema(training["parameters"])
    headers["If-None-Match"] = answer["ETag"]
    assert client.get("/api/v1/job-types/", headers=headers).status_code == 304
