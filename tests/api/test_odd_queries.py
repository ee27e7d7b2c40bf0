"""Malformed paths, query parameters and cursors get an error with the parameter's name."""

import base64
import json
from typing import Any

import pytest

from tests.api.caller import JOBS, Caller, check_refusal
from tests.support import make

pytestmark = pytest.mark.django_db


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
    check_refusal(caller.get(path), 404)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "x", "1.0", "%D9%A1"])
def test_a_version_that_is_not_a_number_is_not_found(caller: Caller, number: str) -> None:
    check_refusal(caller.get(f"projects/demo/datasets/t/versions/{number}/rows/"), 404)


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
    check_refusal(caller.get(path, query), 400, named)


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
    check_refusal(answer, 400, named)
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
    check_refusal(caller.get("projects/", {"cursor": cursor}), 400, "cursor")


@pytest.mark.parametrize(
    "values",
    [
        ("yesterday", "x"),
        ("2026-01-01T00:00:00+00:00", "x"),
        ("2026-99-99T00:00:00+00:00", "01a21192-0e81-7942-bff7-215be14d6c0d"),
    ],
)
def test_a_cursor_of_another_type_is_refused(caller: Caller, values: tuple[str, str]) -> None:
    check_refusal(caller.get(JOBS, {"cursor": _cursor(*values)}), 400, "cursor")


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
