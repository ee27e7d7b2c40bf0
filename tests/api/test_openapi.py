"""The OpenAPI document of requests and results of jobs matches what the service accepts."""

import gzip
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from jobs.api.document import in_openapi
from jobs.types.registry import SPECS, check_parameters, job_type_names
from mimir.api.autoschema import NOT_BLANK
from projects.tokens.write import session_create
from tests.contract.document import Document

pytestmark = pytest.mark.django_db

GOOD: dict[str, dict[str, Any]] = {
    "pipeline_execution": {"pipeline": "p", "version": 2},
    "ml_training": {
        "dataset": "d", "target": "y", "features": ["a"], "model": "m", "algorithm": "random_forest", "task": "regression",  # noqa: E501
        "hyperparameters": {"n_estimators": 5, "max_depth": None}, "test_size": 0.2, "seed": 1,
    },
    "ml_inference": {"model": "m", "dataset": "d", "output": "o", "keys": ["k"]},
    "digital_twin_update": {"twin": "t", "dataset": "d", "type": "x", "key": "k", "properties": {"a": "b"}, "missing": "mark"},  # noqa: E501
}  # fmt: skip
BAD: list[tuple[str, dict[str, Any]]] = [
    ("pipeline_execution", {}),
    ("pipeline_execution", {"pipeline": "p", "version": 0}),
    ("pipeline_execution", {"pipeline": "p", "other": 1}),
    ("ml_training", {"dataset": "d", "model": "m"}),
    ("ml_training", {**GOOD["ml_training"], "model": "no spaces"}),
    ("ml_training", {**GOOD["ml_training"], "algorithm": "magic"}),
    ("ml_training", {**GOOD["ml_training"], "hyperparameters": {"trees": 5}}),
    ("ml_training", {**GOOD["ml_training"], "test_size": 0.9}),
    ("ml_inference", {"model": "m", "dataset": "d"}),
    ("digital_twin_update", {**GOOD["digital_twin_update"], "missing": "forget"}),
]
RESULTS: dict[str, dict[str, Any]] = {
    "pipeline_execution": {
        "datasets": [{"name": "d", "version": 1}],
        "steps": [{"id": "a", "uses": "sql", "status": "succeeded", "rows": 3}],
    },
    "ml_training": {
        "model": "m",
        "version": 1,
        "metrics": {"r2": 0.9},
        "baseline": {"r2": 0.0},
    },
    "ml_inference": {"datasets": [{"name": "o", "version": 1}], "rows": 10},
    "digital_twin_update": {
        "twin": "t",
        "revision": 1,
        "created": 1,
        "changed": 0,
        "removed": 0,
    },
}


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: Any) -> dict[str, Any]:
    with django_db_blocker.unblock():
        reader, _was_created = User.objects.get_or_create(username="reader-of-the-document")
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {session_create(user=reader).token}",
        }
        found: dict[str, Any] = Client().get("/api/schema/", headers=headers).json()
        reader.delete()
    return found


def test_each_job_type_has_an_example_here() -> None:
    names = set(job_type_names())
    assert set(GOOD) == names, "GOOD in this file needs parameters of each job type"
    assert set(RESULTS) == names, "RESULTS in this file needs a result of each job type"


def _fits(served: dict[str, Any], name: str, value: Any) -> bool:
    """Return whether a value matches a schema in which objects have only the listed keys."""
    validator = Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": Document(served)._components}
    )
    return not list(validator.iter_errors(value))


def test_a_request_names_its_shape_by_its_type(served: dict[str, Any]) -> None:
    described = served["components"]["schemas"]["JobRequest"]
    mapping = described["discriminator"]["mapping"]
    assert (described["discriminator"]["propertyName"], set(mapping)) == (
        "type",
        set(job_type_names()),
    )
    assert [part["$ref"] for part in described["oneOf"]] == list(mapping.values())


@pytest.mark.parametrize("kind", job_type_names())
def test_what_the_service_takes_is_in_the_document(served: dict[str, Any], kind: str) -> None:
    assert check_parameters(kind, GOOD[kind]) == []
    assert _fits(
        served,
        "JobRequest",
        {"type": kind, "parameters": GOOD[kind], "name": "n", "priority": "high"},
    )
    other = next(each for each in job_type_names() if each != kind)
    assert not _fits(served, "JobRequest", {"type": other, "parameters": GOOD[kind]})


@pytest.mark.parametrize(("kind", "parameters"), BAD)
def test_what_the_service_refuses_is_not_in_the_document(
    served: dict[str, Any], kind: str, parameters: dict[str, Any]
) -> None:
    assert check_parameters(kind, parameters) != []
    assert not _fits(served, "JobRequest", {"type": kind, "parameters": parameters})


@pytest.mark.parametrize("kind", job_type_names())
def test_the_fields_of_the_form_are_those_of_the_document(
    served: dict[str, Any], kind: str
) -> None:
    name = "".join(word.capitalize() for word in kind.split("_"))
    described = served["components"]["schemas"][f"{name}Parameters"]
    assert set(described["properties"]) == set(SPECS[kind].parameters["properties"])
    assert described["required"] == SPECS[kind].parameters["required"]
    assert described["additionalProperties"] is False


@pytest.mark.parametrize("kind", job_type_names())
def test_a_result_of_each_type_is_in_the_document(served: dict[str, Any], kind: str) -> None:
    assert _fits(served, "JobResult", RESULTS[kind])
    assert not _fits(served, "JobResult", {**RESULTS[kind], "other": 1})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["integer", "null"], "minimum": 1}, {"type": ["integer", "null"], "minimum": 1}),
        ({"type": "string", "pattern": r"^a\Z"}, {"type": "string", "pattern": "^a$"}),
        (
            {"items": {"pattern": r"^a\Z"}, "x-of": "dataset"},
            {"items": {"pattern": "^a$"}, "x-of": "dataset"},
        ),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        (
            {"type": ["string", "null"], "enum": ["a", None]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        (
            {"type": ["string", "number", "null"], "enum": ["a", 0.5, 1.0, None], "title": "t"},
            {
                "title": "t",
                "anyOf": [
                    {"type": "string", "enum": ["a"]},
                    {"type": "number", "minimum": 0.5, "maximum": 1.0},
                    {"type": "null"},
                ],
            },
        ),
    ],
)
def test_a_schema_is_written_as_generators_of_clients_read_it(
    schema: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert in_openapi(schema) == expected


def test_the_document_says_its_version_and_is_valid() -> None:
    generator = SchemaGenerator()
    document = generator.get_schema(request=None, public=True)
    assert document["openapi"] == "3.1.0"
    validate_schema(document)
    assert '"nullable"' not in json.dumps(document, default=str)


@pytest.mark.parametrize(
    ("accept", "query", "media_type"),
    [
        ("application/json", "", "application/json"),
        ("*/*", "?format=json", "application/vnd.oai.openapi+json"),
        ("", "", "application/vnd.oai.openapi"),
        ("application/yaml", "", "application/yaml"),
        ("text/html", "?format=yaml", "application/vnd.oai.openapi"),
    ],
)
def test_the_document_is_built_once_and_kept_by_clients(
    monkeypatch: pytest.MonkeyPatch, accept: str, query: str, media_type: str
) -> None:
    reader = Client(
        headers={
            "Authorization": (
                f"Bearer {session_create(user=User.objects.create_user('reader')).token}"
            )
        }
    )
    first = reader.get(f"/api/schema/{query}", headers={"Accept": accept})
    assert (first.status_code, first["Content-Type"]) == (200, media_type)
    monkeypatch.setattr(
        SchemaGenerator, "get_schema", lambda *_args, **_kwargs: pytest.fail("it was built again")
    )
    again = reader.get(
        f"/api/schema/{query}", headers={"Accept": accept, "If-None-Match": first["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    packed = reader.get(
        f"/api/schema/{query}", headers={"Accept": accept, "Accept-Encoding": "gzip"}
    )
    assert (packed["Content-Encoding"], gzip.decompress(packed.content)) == ("gzip", first.content)
    assert reader.get("/api/schema/?fromat=json").status_code == 400


def test_every_request_body_is_closed_and_says_what_its_texts_may_be(
    served: dict[str, Any],
) -> None:
    schemas = served["components"]["schemas"]
    bodies = [
        content["schema"]["$ref"].rpartition("/")[2]
        for methods in served["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) > 20
    assert [
        name
        for name in bodies
        if "oneOf" not in schemas[name] and schemas[name].get("additionalProperties") is not False
    ] == []
    assert schemas["DatasetChange"]["required"] == ["current_version"]
    name = schemas["ProjectRequest"]["properties"]["name"]
    assert (name["pattern"], name["not"], name["minLength"]) == (
        NOT_BLANK,
        {"pattern": r"\u0000"},
        1,
    )
    assert schemas["ProjectShape"]["properties"]["name"] == {"type": "string"}


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"slug": "a-1", "name": "A"}, True),
        ({"slug": "A", "name": "A"}, False),
        ({"slug": "a", "name": "   "}, False),
        ({"slug": "a", "name": "a\u0000"}, False),
        ({"slug": "a", "name": "a", "descripton": "d"}, False),
        ({"slug": "a\n", "name": "a"}, False),
    ],
)
def test_a_body_that_is_refused_does_not_fit_the_document(
    served: dict[str, Any], value: dict[str, Any], fits: bool
) -> None:
    assert _fits(served, "ProjectRequest", value) is fits or value["slug"].endswith(
        "\n"
    )  # `$` matches before a final newline in Python, not in ECMAScript
    reader = Client(
        headers={
            "Authorization": (
                f"Bearer {session_create(user=User.objects.create_user('reader')).token}"
            )
        }
    )
    assert (
        reader.post("/api/v1/projects/", value, content_type="application/json").status_code == 201
    ) is fits


def test_the_parameters_of_a_query_say_what_they_take(served: dict[str, Any]) -> None:
    listed = [
        served["paths"][path]["get"]["parameters"]
        for path in ("/api/v1/projects/{slug}/lineage/", "/api/v1/projects/")
    ]
    by_name = {
        parameter["name"]: parameter["schema"] for parameters in listed for parameter in parameters
    }
    assert by_name["of"]["pattern"].startswith("^(dataset|model|twin):")
    assert by_name["cursor"]["not"] == {"pattern": r"\u0000"}


def test_the_rule_of_text_that_is_not_blank_is_as_strict_as_the_runtime() -> None:
    r"""U+001E alone matched the document's `\S` but was refused as blank."""
    of_json_schema = " \t\n\v\f\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    pattern = re.compile(NOT_BLANK.replace(r"\s", of_json_schema))
    assert [
        hex(code) for code in range(0x10000) if not chr(code).strip() and pattern.search(chr(code))
    ] == []
    assert all(map(pattern.search, ("a", "é", "0", "_", "語")))
