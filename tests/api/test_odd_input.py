"""Malformed and hostile input gets an error body with the field's path, never a 500."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.types.registry import check_parameters
from mimir.lib.schemas.pipeline import check_definition
from tests.api.caller import JOBS, Caller, check_refusal
from tests.support import make

pytestmark = pytest.mark.django_db

PIPELINES, VALIDATE = "projects/demo/pipelines/", "projects/demo/pipelines/validate/"
DEEP: Any = "x"
for _ in range(100):
    DEEP = [DEEP]


def _job(**fields: Any) -> dict[str, Any]:
    return {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, **fields}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"type": "bogus"}, "type"),
        ({"type": None}, "type"),
        ({"type": ["pipeline_execution"]}, "type"),
        ({"type": "ml_training", "parameters": {}}, "parameters.target"),
        ({"parameters": None}, "parameters"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {}}, "parameters.pipeline"),
        ({"parameters": {"pipeline": 5}}, "parameters.pipeline"),
        ({"parameters": {"pipeline": "none"}}, "parameters.pipeline"),
        ({"parameters": {"pipeline": "echo", "version": 9}}, "parameters.version"),
        ({"parameters": {"pipeline": "echo", "version": "1"}}, "parameters.version"),
        ({"parameters": {"pipeline": "echo", "version": 2**70}}, "parameters.version"),
        ({"parameters": {"pipeline": "echo", "bogus": 1}}, "parameters.bogus"),
        ({"name": "x" * 201}, "name"),
        ({"name": ["x"]}, "name"),
        ({"labels": ["a"]}, "labels"),
        ({"labels": {"a": ["b"]}}, "labels.a"),
        ({"labels": {"a": "x" * 201}}, "labels.a"),
        ({"labels": {str(number): "x" for number in range(33)}}, "labels"),
        ({"priority": "urgent"}, "priority"),
        ({"resources": [2]}, "resources"),
        ({"resources": {"cpu": "lots"}}, "resources.cpu"),
        ({"resources": {"cpu": "9" * 400}}, "resources.cpu"),
        ({"resources": {"memory": "9" * 400 + "Ti"}}, "resources.memory"),
        ({"resources": {"memory": "1Ki"}}, "resources.memory"),
        ({"resources": {"memory_max": "1Gi"}}, "resources.memory_max"),
        ({"resources": {"memory_max": ["8Gi"]}}, "resources.memory_max"),
        ({"resources": {"memory_max": "9" * 400 + "Ti"}}, "resources.memory_max"),
        ({"resources": {"gpu": 1.5}}, "resources.gpu"),
        ({"resources": {"gpu": True}}, "resources.gpu"),
        ({"resources": {"disk": "1Gi"}}, "resources.disk"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 10**200}, "timeout_seconds"),
        ({"timeout_seconds": "soon"}, "timeout_seconds"),
        ({"max_attempts": 1.5}, "max_attempts"),
        ({"cluster": ["local"]}, "cluster"),
        ({"cluster": "x" * 64}, "cluster"),
        ({"cluster": "lo\x00cal"}, "cluster"),
        ({"region": "nowhere"}, "region"),
        ({"max_attempts": 21}, "max_attempts"),
        ({"max_attempt": 3}, "max_attempt"),
        ({"status": "succeeded"}, "status"),
    ],
)
def test_a_wrong_field_of_a_job_is_named(caller: Caller, fields: dict[str, Any], path: str) -> None:
    check_refusal(caller.post(JOBS, _job(**fields)), 400, path)


def test_all_wrong_fields_are_named_at_once(caller: Caller) -> None:
    check_refusal(
        caller.post(JOBS, {"type": "bogus", "labels": 5, "prioritty": "high"}),
        400,
        "type",
        "parameters",
        "labels",
        "prioritty",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"type": NaN}',
        b'{"type": -Infinity}',
        b'{"type": 1e999}',
        b'{"type": ' + b"9" * 5000 + b"}",
        b"[" * 15_000,
        b"[]",
        b"5",
        b"null",
        b'"text"',
        b'{"type": "pipeline_execution", "parameters": {"pipeline": "a\\u0000b"}}',
        b'{"type": "pipeline_execution", "parameters": {"pipeline": "\\ud800"}}',
        b'{"\\u0000": 1}',
        json.dumps(_job(labels=DEEP)).encode(),
    ],
    ids=lambda body: body[:24],
)
@pytest.mark.parametrize("path", [JOBS, PIPELINES, VALIDATE, "projects/", "tokens/", "session/"])
def test_a_foreign_json_object_is_refused(caller: Caller, path: str, body: bytes) -> None:
    check_refusal(caller.send("POST", path, body), 400)


_OTHER_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/xml",
    "",
    "x",
    "multipart/form-data; boundary=x",
]


@pytest.mark.parametrize("media_type", _OTHER_TYPES)
def test_another_media_type_is_refused(caller: Caller, media_type: str) -> None:
    check_refusal(caller.send("POST", JOBS, json.dumps(_job()), media_type=media_type), 415)


@pytest.mark.parametrize("charset", ["hex", "utf-16", "nonsense", "idna"])
def test_an_odd_charset_breaks_nothing(caller: Caller, charset: str) -> None:
    assert (
        caller.client.generic(
            "GET", "/api/v1/projects/?limit=5", content_type=f"text/plain; charset={charset}"
        ).status_code
        == 200
    )
    form = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nabc\r\n--x--\r\n'
    check_refusal(
        caller.send(
            "POST",
            "projects/demo/datasets/",
            form,
            media_type=f"multipart/form-data; boundary=x; charset={charset}",
        ),
        400,
    )


def test_a_body_over_the_limit_is_too_large(caller: Caller) -> None:
    check_refusal(caller.post(JOBS, _job(name="x" * (4 * 1024 * 1024))), 413)


def test_a_definition_over_its_limit_is_too_large(caller: Caller) -> None:
    steps = [{"id": "a", "uses": "command", "with": {"argv": ["x" * 100_000] * 5}}]
    check_refusal(
        caller.post(PIPELINES, {"name": "p", "definition": {"steps": steps}}), 413, "definition"
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "+".join(["1"] * 900),
        "SELECT " + "+".join(["1"] * 5000),
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT * FROM " + "(SELECT * FROM " * 500 + "t" + ")" * 500,
        "SELECT 1; SELECT 2",
        "DROP TABLE x",
        "",
        "SELECT '" + "x" * 120_000 + "'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "\x01",
    ],
    ids=lambda query: query[:20],
)
def test_a_query_that_cannot_be_a_step_is_a_fault_of_its_field(caller: Caller, query: str) -> None:
    definition = {"steps": [{"id": "a", "uses": "sql", "with": {"query": query}}]}
    found = caller.post(VALIDATE, {"definition": definition})
    assert found.status_code == 200, found.content
    assert (found.json()["valid"], [fault["path"] for fault in found.json()["errors"]]) == (
        False,
        ["steps[0].with.query"],
    )
    check_refusal(
        caller.post(PIPELINES, {"name": "p", "definition": definition}),
        400,
        "definition.steps[0].with.query",
    )


@pytest.mark.parametrize(
    "accept", ["text/plain", "text/html", "application/xml", "image/*", "nonsense", "*/*"]
)
def test_an_answer_has_its_one_media_type_whatever_is_accepted(caller: Caller, accept: str) -> None:
    job = make.admitted().job_id
    log = caller.get(f"jobs/{job}/logs/", headers={"Accept": accept})
    assert (log.status_code, log["Content-Type"]) == (200, "text/plain; charset=utf-8")
    shown = caller.get(f"jobs/{job}/", headers={"Accept": accept})
    assert (shown.status_code, shown["Content-Type"]) == (200, "application/json")
    check_refusal(caller.get("projects/none/", headers={"Accept": accept}), 404)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_an_idempotency_key_is_short_and_printable(caller: Caller, key: str) -> None:
    check_refusal(
        caller.post(JOBS, _job(), headers={"Idempotency-Key": key}), 400, "Idempotency-Key"
    )


@pytest.mark.parametrize(
    "header",
    ["Basic YTpi", "Bearer", "Bearer ", "Bearer é", "Bearer " + "x" * 5000, "bearer x y", "x"],
)
def test_a_bad_authorization_is_not_authenticated(header: str) -> None:
    answer = Caller(None).client.get("/api/v1/projects/", headers={"Authorization": header})
    check_refusal(answer, 401)
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_method_that_is_not_there_says_which_are(caller: Caller) -> None:
    answer = caller.send("DELETE", "projects/demo/")
    check_refusal(answer, 405)
    assert {"GET", "PATCH"} <= set(answer["Allow"].split(", "))


def test_no_address_is_the_same_answer_as_nothing_there(caller: Caller) -> None:
    check_refusal(caller.get("nothing/"), 404)
    check_refusal(caller.client.get("/nothing/"), 404)


@pytest.mark.parametrize(
    "file", [None, "text", SimpleUploadedFile("x", b"")], ids=["none", "text", "empty"]
)
def test_an_upload_without_content_is_refused_at_its_field(caller: Caller, file: Any) -> None:
    form = {"name": "t"} | ({"file": file} if file is not None else {})
    check_refusal(caller.client.post("/api/v1/projects/demo/datasets/", form), 400, "file")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_STEP = st.fixed_dictionaries(
    {},
    optional={
        "id": _JSON | st.sampled_from(["a", "b", "A"]),
        "uses": _JSON | st.sampled_from(["read", "sql", "write", "command"]),
        "needs": _JSON | st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
        "with": _JSON
        | st.dictionaries(
            st.sampled_from(["dataset", "version", "url", "format", "query", "from", "argv"]),
            _JSON
            | st.sampled_from(["a", "SELECT * FROM a", "http://[::1", "http://x:y/", ["true"]]),
            max_size=4,
        ),
    },
)


@given(st.fixed_dictionaries({"steps": st.lists(_STEP | _JSON, max_size=4)}) | _JSON)
@settings(max_examples=300)
def test_any_json_is_judged_as_a_definition(definition: Any) -> None:
    for fault in check_definition(definition):
        assert fault.message
        assert isinstance(fault.path, str)


@given(_JSON)
def test_any_json_is_judged_as_parameters(parameters: Any) -> None:
    faults = check_parameters("pipeline_execution", parameters)
    assert faults or isinstance(parameters, dict)
    assert all(fault.path.startswith("parameters") for fault in faults)
