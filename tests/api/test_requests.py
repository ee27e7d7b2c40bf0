"""A redirect never changes a request, and no part of a request is ignored."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, get_resolver

from jobs.lifecycle.cancel import job_cancel
from jobs.models import Job
from mimir.api.views import ApiView
from projects.models import Dataset
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

JOBS = "projects/demo/jobs/"
ECHO = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}


def _refused(answer: Any, *names: str, status: int = 400) -> str:
    assert answer.status_code == status, answer.content[:300]
    body = answer.json()
    assert sorted(body) == ["code", "detail", "message"]
    assert set(names) <= set(body["detail"]), body
    return str(body["message"])


# Without a trailing slash


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "projects/demo/jobs", ECHO, 201),
        ("POST", "projects/demo/jobs?dry_run=true", ECHO, 200),
        ("POST", "projects", {"slug": "other", "name": "Other"}, 201),
        ("POST", "session", {"username": "ada", "password": "correct-horse"}, 201),
        ("PATCH", "projects/demo", {"name": "New"}, 200),
        ("PUT", "projects/demo/members/bob", {"role": "viewer"}, 200),
        ("DELETE", "projects/demo/members/bob", None, 204),
        ("GET", "projects/demo", None, 200),
        ("GET", "projects/demo/jobs?limit=1", None, 200),
        ("HEAD", "projects/demo", None, 200),
        ("OPTIONS", "projects/demo", None, 200),
    ],
)
def test_an_address_without_its_slash_is_answered(
    caller: Caller, method: str, path: str, body: Any, status: int
) -> None:
    make.user("bob")
    before = Job.objects.count()
    answer = caller.send(method, path, body if body is not None else b"")
    assert answer.status_code == status, answer.content[:300]
    assert Job.objects.count() - before == (status == 201 and "jobs" in path)


def test_a_list_without_its_slash_redirects(caller: Caller) -> None:
    make.job()
    make.job()
    assert (
        caller.get("projects/demo/jobs?limit=1")
        .json()["next"]
        .startswith("/api/v1/projects/demo/jobs/?")
    )


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/login", "/admin/projects/project", "/admin/nowhere"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_no_write_to_the_admin_is_redirected_to_a_slash(method: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(
        make.user("boss", is_superuser=True, is_staff=True),
        backend="projects.users.backends.PasswordBackend",
    )
    answer = client.generic(method, path, b"a=b", content_type="application/x-www-form-urlencoded")
    assert answer.status_code not in (301, 307, 308), answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/projects/",
        "/api/v1/nothing",
        "/api/v1/projects/demo/jobs/x/",
        "/api//v1",
    ],
)
def test_an_unknown_address_is_a_404_in_json(caller: Caller, method: str, path: str) -> None:
    answer = caller.client.generic(
        method, path, b"{}" if method != "GET" else b"", content_type="application/json"
    )
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    if method != "HEAD":
        assert answer.json()["code"] == "not_found"


def test_a_missing_project_looks_like_an_unknown_address(caller: Caller) -> None:
    missing = caller.get("projects/none/")
    assert missing.json() == caller.client.get("/api/v1/nothing").json()
    assert missing.json()["message"] == (
        "Not found, or you have no access. Check the address or ask a maintainer of the project."
    )


# The query

LISTS = [
    "projects/", "tokens/", "clusters/", "limits/", JOBS, "projects/demo/members/", "projects/demo/datasets/", "projects/demo/models/",  # noqa: E501
    "projects/demo/pipelines/", "projects/demo/twins/", "projects/demo/clusters/",
]  # fmt: skip
OTHERS = [
    "session/",
    "system/",
    "projects/demo/",
    "projects/demo/summary/",
    "projects/demo/jobs/counts/",
]


@pytest.mark.parametrize("path", LISTS + OTHERS)
@pytest.mark.parametrize("query", ["bogus=1", "Limit=1", "page=2", "bogus="])
def test_an_unknown_parameter_is_refused_by_name(caller: Caller, path: str, query: str) -> None:
    assert "is not a query parameter" in _refused(
        caller.get(f"{path}?{query}"), query.partition("=")[0]
    )


def test_the_nearest_parameter_is_named(caller: Caller) -> None:
    assert "Did you mean status?" in _refused(
        caller.get(f"{JOBS}?state=failed&statuss=failed"), "state", "statuss"
    )
    assert "Use " in _refused(caller.get(f"{JOBS}?zzz=1"), "zzz")
    assert "takes none" in _refused(caller.get("session/?x=1"), "x")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=1&limit=2", "limit"),
        ("type=ml_training&type=ml_inference", "type"),
        ("status=done", "status"),
        ("status=queued&status=done", "status"),
        ("status=queued,done", "status"),
        ("status=", "status"),
        ("status=queued,", "status"),
        ("type=", "type"),
        ("limit=", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%C2%B2", "limit"),
        ("q=%00", "q"),
    ],
)
def test_a_bad_value_is_refused_by_name(caller: Caller, query: str, name: str) -> None:
    _refused(caller.get(f"{JOBS}?{query}"), name)


@pytest.mark.parametrize("value", ["yes", "", "2", "on"])
def test_a_dry_run_that_is_not_understood_submits_nothing(caller: Caller, value: str) -> None:
    _refused(caller.post(f"{JOBS}?dry_run={value}", ECHO), "dry_run")
    _refused(caller.post(f"{JOBS}?dryrun=true", ECHO), "dryrun")
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("value", "status"), [("true", 200), ("True", 200), ("1", 200), ("false", 201), ("0", 201)]
)
def test_a_truth_value_has_a_few_spellings(caller: Caller, value: str, status: int) -> None:
    assert caller.post(f"{JOBS}?dry_run={value}", ECHO).status_code == status


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=queued&status=cancelled", 3),
        ("status=queued,cancelled", 3),
        ("status=queued,%20cancelled", 3),
        ("status=queued,queued", 2),
        ("status=cancelled", 1),
        ("status=failed,succeeded", 0),
    ],
)
def test_several_statuses_are_all_honoured(caller: Caller, query: str, expected: int) -> None:
    jobs = [make.job() for _ in range(3)]
    job_cancel(job_id=jobs[0].id, actor="user:ada")
    assert len(caller.get(f"{JOBS}?{query}").json()["results"]) == expected


def test_parameters_are_not_validated_before_sign_in() -> None:
    assert Client().get("/api/v1/projects/?bogus=1").status_code == 401


def test_every_method_of_the_public_api_declares_its_parameters() -> None:
    """Without a declaration, `ApiView` could not check the query parameters."""
    missing = []
    for pattern in _patterns(get_resolver().url_patterns):
        view = getattr(pattern.callback, "cls", None)
        if view is None or not issubclass(view, ApiView) or view.__module__ == "jobs.api.worker":
            continue
        for method in ("get", "post", "put", "patch", "delete"):
            handler = getattr(view, method, None)
            if handler is not None and "schema" not in getattr(handler, "kwargs", {}):
                missing.append(f"{view.__name__}.{method}")
    assert not missing


def _patterns(patterns: list[Any]) -> list[URLPattern]:
    found: list[URLPattern] = []
    for pattern in patterns:
        found += [pattern] if isinstance(pattern, URLPattern) else _patterns(pattern.url_patterns)
    return found


# The body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "{job}cancel/", {"force": True}),
        ("POST", "{job}retry/", {"parameters": {}}),
        ("DELETE", "projects/demo/members/bob/", {"force": True}),
        ("GET", JOBS, {"status": "failed"}),
    ],
)
def test_a_body_that_would_be_ignored_is_refused(
    caller: Caller, method: str, path: str, body: Any
) -> None:
    job = make.job()
    path = path.format(job=f"jobs/{job.id}/")
    assert "takes no body" in _refused(caller.send(method, path, body), next(iter(body)))
    job.refresh_from_db()
    assert job.status == "queued"


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
def test_an_empty_body_counts_as_none(caller: Caller, body: bytes) -> None:
    assert caller.send("POST", f"jobs/{make.job().id}/cancel/", body).status_code == 202


def test_an_unknown_field_is_refused_with_the_nearest_one(caller: Caller) -> None:
    assert "Did you mean max_attempts?" in _refused(
        caller.post(JOBS, {**ECHO, "max_attempt": 1}), "max_attempt"
    )


def test_an_unknown_field_of_a_form_is_refused(caller: Caller) -> None:
    address = "/api/v1/projects/demo/datasets/"
    for extra in ({"nmae": "x"}, {"name": ["a", "b"]}):
        form = {"name": "numbers", "file": SimpleUploadedFile("n.csv", b"n\n1\n"), **extra}
        _refused(caller.client.post(address, form), next(iter(extra)))
    assert not Dataset.objects.exists()


# Types of JSON


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("POST", "projects/", {"slug": "other", "name": 5}, "name"),
        ("POST", "projects/", {"slug": 5, "name": "Other"}, "slug"),
        (
            "POST",
            "projects/",
            {"slug": "other", "name": "Other", "description": -5.3e16},
            "description",
        ),
        ("PATCH", "projects/demo/", {"status": True}, "status"),
        ("POST", JOBS, {**ECHO, "max_attempts": "2"}, "max_attempts"),
        ("POST", JOBS, {**ECHO, "max_attempts": True}, "max_attempts"),
        ("POST", JOBS, {**ECHO, "labels": {"a": 1}}, "labels.a"),
        ("POST", JOBS, {**ECHO, "name": 5}, "name"),
        ("POST", "tokens/", {"name": "t", "expires_at": 5}, "expires_at"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_converted(
    caller: Caller, method: str, path: str, body: Any, name: str
) -> None:
    _refused(caller.send(method, path, body), name)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"scope": "global", "paused": "true"}, "paused"),
        ({"scope": "global", "paused": 1}, "paused"),
        ({"scope": "global", "max_jobs": "1"}, "max_jobs"),
    ],
)
def test_a_limit_takes_truth_values_and_numbers_alone(body: Any, name: str) -> None:
    _refused(Caller(make.user("boss", is_superuser=True)).send("PATCH", "limits/", body), name)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("projects/", {"slug": "Other", "name": "n"}, "slug"),
        ("projects/", {"slug": "other", "name": " \t"}, "name"),
        ("projects/demo/pipelines/", {"name": "a b", "definition": {}}, "name"),
        ("projects/demo/pipelines/", {"name": "a", "definition": []}, "definition"),
        ("projects/demo/twins/", {"name": ".a", "definition": {}}, "name"),
        (JOBS, {**ECHO, "timeout_seconds": 0}, "timeout_seconds"),
        (JOBS, {**ECHO, "max_attempts": 21}, "max_attempts"),
    ],
)
def test_what_breaks_a_rule_of_the_document_is_refused_with_the_rule(
    caller: Caller, path: str, body: Any, name: str
) -> None:
    assert "must be" in _refused(caller.post(path, body), name) or name == "name"


@pytest.mark.parametrize("key", ["", " ", "k" * 201, "\u00e9"])
def test_an_idempotency_key_is_printable_ascii(caller: Caller, key: str) -> None:
    _refused(caller.post(JOBS, ECHO, headers={"Idempotency-Key": key}), "Idempotency-Key")


@pytest.mark.parametrize("offset", [-(2**48), 2**48])
def test_the_whole_range_of_an_offset_is_taken(caller: Caller, offset: int) -> None:
    assert caller.get(f"jobs/{make.job().id}/logs/?offset={offset}").status_code == 200
    _refused(caller.get(f"jobs/{make.job().id}/logs/?offset={offset * 2}"), "offset")
