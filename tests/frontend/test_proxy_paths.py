"""Paths that the proxy forwards: three prefixes, parsed alike by every server."""

import json
import socket
from urllib.parse import unquote_to_bytes

import pytest
from django.test import RequestFactory
from django.urls import URLPattern
from hypothesis import given
from hypothesis import strategies as st

from mimir.frontend.proxy.rules import Target, target
from mimir.urls_frontend import urlpatterns
from tests.frontend.process import Frontend

_TABLE = {
    "/api/v1/projects/": Target.API,
    "/api/schema/": Target.API,
    "/api/v1/projects/a%20b/": Target.API,
    "/api/v1/projects/caf%C3%A9/": Target.API,
    "/api/v1/files/a.b..c/...": Target.API,
    "/ws/jobs/1/": Target.SOCKET,
    "/admin/login/": Target.ADMIN,
    "/admin/static/a.css": Target.ADMIN,
    "/admin": Target.PAGES,
    "/%61dmin": Target.NOWHERE,
    "/admin/..": Target.NOWHERE,
    "/api": Target.NOWHERE,
    "/ws": Target.NOWHERE,
    "/": Target.PAGES,
    "/projects/": Target.PAGES,
    "/worker/v1/claim/": Target.PAGES,
    "/metrics": Target.PAGES,
    "/health": Target.PAGES,
    "/API/v1/": Target.PAGES,
    "/apis/": Target.PAGES,
    "/api/../worker/v1/claim/": Target.NOWHERE,
    "/api/..%2fworker/v1/claim/": Target.NOWHERE,
    "/api/..%2Fworker/v1/claim/": Target.NOWHERE,
    "/api/%2e%2e/worker/v1/": Target.NOWHERE,
    "/api/%2e%2e%2fworker/v1/": Target.NOWHERE,
    "/api/.%2e/worker/v1/": Target.NOWHERE,
    "/api/%252e%252e/worker/v1/": Target.NOWHERE,
    "/api/..%5cworker/v1/": Target.NOWHERE,
    "/api/..\\worker/v1/": Target.NOWHERE,
    "/api/..;/worker/v1/": Target.NOWHERE,
    "/api//worker/v1/": Target.NOWHERE,
    "/api/./v1/": Target.NOWHERE,
    "/api/v1/..": Target.NOWHERE,
    "/api/v1/%00": Target.NOWHERE,
    "/api/v1/%0d%0aX: y": Target.NOWHERE,
    "/api/v1/%zz/": Target.NOWHERE,
    "/api/v1/a%2fb/": Target.NOWHERE,
    "/%61pi/v1/": Target.NOWHERE,
    "/api%2fv1/": Target.NOWHERE,
    "//api/v1/": Target.NOWHERE,
    "/./api/v1/": Target.NOWHERE,
    "/projects/../api/v1/": Target.NOWHERE,
    "/projects/..%2fadmin/": Target.NOWHERE,
    "\\api\\v1\\": Target.NOWHERE,
}


@pytest.mark.parametrize(("path", "expected"), _TABLE.items())
def test_a_forwarded_path_keeps_its_meaning(path: str, expected: Target) -> None:
    assert target(path.encode()) is expected


@given(st.text(alphabet="aw/.%2efFcC5\\;", max_size=40))
def test_a_forwarded_path_is_unambiguous(tail: str) -> None:
    path = f"/api/{tail}".encode()
    if target(path) is Target.API:
        once = unquote_to_bytes(path)
        for reading in (path, once, unquote_to_bytes(once)):
            parts = reading.split(b"/")
            assert len(parts) == len(path.split(b"/")), "an encoded slash was decoded"
            assert b"\\" not in reading
            assert not {b"", b".", b".."}.intersection(parts[1:-1])
            assert parts[-1] not in (b".", b"..")


def _raw(frontend: Frontend, request_line: str) -> tuple[int, bytes]:
    """Return the response to a request line that no HTTP client can send."""
    host, port = frontend.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            f"{request_line} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    "path",
    [
        "/api/..%2fworker/v1/claim/",
        "/api/../worker/v1/claim/",
        "/api/%2e%2e/metrics",
        "//api/v1/",
        "/ws/jobs/1/",
        "/ws/../admin/",
    ],
)
def test_a_path_outside_the_prefixes_is_not_found(frontend: Frontend, path: str) -> None:
    status, body = _raw(frontend, f"GET {path}")
    assert status == 404
    assert json.loads(body)["code"] == "not_found"


def test_a_path_reaches_the_orchestrator_as_it_was_written(frontend: Frontend) -> None:
    status, body = _raw(frontend, "GET /api/v1/caf%C3%A9/it's(1)/?q=a%20b&q=%2F&x")
    assert status == 200
    assert json.loads(body)["target"] == "/api/v1/caf%C3%A9/it's(1)/?q=a%20b&q=%2F&x"


def test_another_host_name_is_refused(frontend: Frontend) -> None:
    with frontend.client() as client:
        for host in ("evil.example", "", "localhost, evil.example"):
            answer = client.get("/api/v1/echo/", headers={"Host": host})
            assert answer.status_code == 400, host


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 301), ("HEAD", 301), ("POST", 405), ("PUT", 405), ("DELETE", 405)],
)
def test_only_a_read_of_admin_is_redirected_to_its_slash(method: str, status: int) -> None:
    [redirect] = [
        part
        for part in urlpatterns
        if isinstance(part, URLPattern) and str(part.pattern) == "admin"
    ]
    assert redirect.callback(RequestFactory().generic(method, "/admin")).status_code == status
