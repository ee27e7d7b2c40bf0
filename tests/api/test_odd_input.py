"""Malformed and hostile input gets an error body with the field's path, never a 500."""

import base64
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.types.registry import check_parameters
from mimir.lib.schemas.pipeline import check_definition
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

JOBS, PIPELINES, VALIDATE = (
    "projects/demo/jobs/",
    "projects/demo/pipelines/",
    "projects/demo/pipelines/validate/",
)
DEEP: Any = "x"
for _ in range(100):
    DEEP = [DEEP]


@pytest.fixture
def caller() -> Caller:
    created_by = make.project().created_by
    assert created_by is not None
    return Caller(created_by)


def _job(**fields: Any) -> dict[str, Any]:
    return {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, **fields}


def _refused(answer: Any, status: int, *paths: str) -> None:
    assert answer.status_code == status, answer.content[:500]
    body = answer.json()
    assert sorted(body) == ["code", "detail", "message"]
    assert body["code"]
    assert body["message"]
    assert set(paths) <= set(body["detail"]), body["detail"]


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
    _refused(caller.post(JOBS, _job(**fields)), 400, path)


def test_all_wrong_fields_are_named_at_once(caller: Caller) -> None:
    _refused(
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
    _refused(caller.send("POST", path, body), 400)


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
    _refused(caller.send("POST", JOBS, json.dumps(_job()), media_type=media_type), 415)


@pytest.mark.parametrize("charset", ["hex", "utf-16", "nonsense", "idna"])
def test_an_odd_charset_breaks_nothing(caller: Caller, charset: str) -> None:
    assert (
        caller.client.generic(
            "GET", "/api/v1/projects/?limit=5", content_type=f"text/plain; charset={charset}"
        ).status_code
        == 200
    )
    form = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nabc\r\n--x--\r\n'
    _refused(
        caller.send(
            "POST",
            "projects/demo/datasets/",
            form,
            media_type=f"multipart/form-data; boundary=x; charset={charset}",
        ),
        400,
    )


def test_a_body_over_the_limit_is_too_large(caller: Caller) -> None:
    _refused(caller.post(JOBS, _job(name="x" * (4 * 1024 * 1024))), 413)


def test_a_definition_over_its_limit_is_too_large(caller: Caller) -> None:
    steps = [{"id": "a", "uses": "command", "with": {"argv": ["x" * 100_000] * 5}}]
    _refused(
        caller.post(PIPELINES, {"name": "p", "definition": {"steps": steps}}), 413, "definition"
    )


@pytest.mark.parametrize(
    "path",
    [
        "projects/%00/",
        "projects/demo/datasets/%00/",
        "projects/demo/pipelines/%00/",
        "projects/demo/datasets/a%00/versions/1/rows/",
        "projects/%ff/",
    ],
)
def test_a_path_that_names_nothing_is_not_found(caller: Caller, path: str) -> None:
    _refused(caller.get(path), 404)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x", "1.0", "%D9%A1"])
def test_a_version_that_is_not_a_number_is_not_found(caller: Caller, number: str) -> None:
    _refused(caller.get(f"projects/demo/datasets/t/versions/{number}/rows/"), 404)


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        (JOBS, {"status": "bogus"}, "status"),
        (JOBS, {"status": ["queued", "bogus"]}, "status"),
        (JOBS, {"type": "bogus"}, "type"),
        (JOBS, {"q": "a\x00"}, "q"),
        (JOBS, {"label": "a\x00"}, "label"),
        (JOBS, {"limit": "0"}, "limit"),
        (JOBS, {"limit": "201"}, "limit"),
        (JOBS, {"limit": "١"}, "limit"),
        (JOBS, {"cursor": "x"}, "cursor"),
        ("JOB", {"wait": "soon"}, "wait"),
        ("JOB", {"wait": "nan"}, "wait"),
        ("JOBevents/", {"after": "x"}, "after"),
        ("JOBevents/", {"limit": "x"}, "limit"),
        ("JOBlogs/", {"offset": "1e3"}, "offset"),
        ("JOBlogs/", {"attempt": "x"}, "attempt"),
        ("JOBlogs/search/", {}, "q"),
        ("JOBlogs/search/", {"q": "x" * 201}, "q"),
        ("JOBlogs/search/", {"q": "a\nb"}, "q"),
        ("JOBlogs/search/", {"q": "a", "cursor": "x"}, "cursor"),
        ("JOBusage/", {"attempt": "9" * 30}, "attempt"),
    ],
)
def test_a_wrong_query_parameter_is_named(
    caller: Caller, path: str, query: dict[str, Any], named: str
) -> None:
    path = path.replace("JOB", f"jobs/{make.admitted().job_id}/")
    _refused(caller.get(path, query), 400, named)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"limit": "-1"}, "limit"),
        ({"format": "html"}, "format"),
        ({"format": "raw", "stream": "stdin"}, "stream"),
        ({"stream": "stdout"}, "stream"),
    ],
)
def test_a_wrong_parameter_of_a_log_is_named_and_no_other(
    caller: Caller, query: dict[str, Any], named: str
) -> None:
    answer = caller.get(f"jobs/{make.admitted().job_id}/logs/", query)
    _refused(answer, 400, named)
    assert list(answer.json()["detail"]) == [named]


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        _cursor("\ud800"),
        _cursor("a\x00"),
        _cursor(5),
        _cursor(),
        _cursor("a", "b"),
        _cursor(["a"]),
        "é",
        "====",
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
    ],
)
def test_a_forged_cursor_is_refused(caller: Caller, cursor: str) -> None:
    _refused(caller.get("projects/", {"cursor": cursor}), 400, "cursor")


@pytest.mark.parametrize(
    "values",
    [
        ("yesterday", "x"),
        ("2026-01-01T00:00:00+00:00", "x"),
        ("2026-99-99T00:00:00+00:00", "01a21192-0e81-7942-bff7-215be14d6c0d"),
    ],
)
def test_a_cursor_of_another_type_is_refused(caller: Caller, values: tuple[str, str]) -> None:
    _refused(caller.get(JOBS, {"cursor": _cursor(*values)}), 400, "cursor")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_at_the_end_of_time_is_only_an_empty_or_a_full_page(
    caller: Caller, moment: str
) -> None:
    make.job()
    assert (
        caller.get(
            JOBS, {"cursor": _cursor(moment, "01a21192-0e81-7942-bff7-215be14d6c0d")}
        ).status_code
        == 200
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
    _refused(
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
    _refused(caller.get("projects/none/", headers={"Accept": accept}), 404)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_an_idempotency_key_is_short_and_printable(caller: Caller, key: str) -> None:
    _refused(caller.post(JOBS, _job(), headers={"Idempotency-Key": key}), 400, "Idempotency-Key")


@pytest.mark.parametrize(
    "header",
    ["Basic YTpi", "Bearer", "Bearer ", "Bearer é", "Bearer " + "x" * 5000, "bearer x y", "x"],
)
def test_a_bad_authorization_is_not_authenticated(header: str) -> None:
    answer = Caller(None).client.get("/api/v1/projects/", headers={"Authorization": header})
    _refused(answer, 401)
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_method_that_is_not_there_says_which_are(caller: Caller) -> None:
    answer = caller.send("DELETE", "projects/demo/")
    _refused(answer, 405)
    assert {"GET", "PATCH"} <= set(answer["Allow"].split(", "))


def test_no_address_is_the_same_answer_as_nothing_there(caller: Caller) -> None:
    _refused(caller.get("nothing/"), 404)
    _refused(caller.client.get("/nothing/"), 404)


@pytest.mark.parametrize(
    "file", [None, "text", SimpleUploadedFile("x", b"")], ids=["none", "text", "empty"]
)
def test_an_upload_without_content_is_refused_at_its_field(caller: Caller, file: Any) -> None:
    form = {"name": "t"} | ({"file": file} if file is not None else {})
    _refused(caller.client.post("/api/v1/projects/demo/datasets/", form), 400, "file")


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
