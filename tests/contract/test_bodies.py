"""Request bodies in all forms that clients send.

Chunked, incomplete, too large, or without a token; through the frontend and directly.
"""

import hashlib
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.contract.conftest import PASSWORD, Api, Person
from tests.support.stack import Stack

MIB = 1024 * 1024


@pytest.fixture(params=["frontend", "direct"])
def client(stack: Stack, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Return a client of the administrator, through the frontend and directly."""
    port = stack.environment["PORT" if request.param == "frontend" else "API_PORT"]
    headers = {"Authorization": f"Bearer {stack.described['token']}"}
    with httpx.Client(
        base_url=f"http://localhost:{port}", headers=headers, timeout=60, trust_env=False
    ) as created:
        yield created


def _chunked(data: bytes, size: int = 7000) -> Iterator[bytes]:
    """Yield the body in parts: httpx sends an iterator without Content-Length."""
    for start in range(0, max(len(data), 1), size):
        yield data[start : start + size]


def _send(
    client: httpx.Client, method: str, path: str, body: Any, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request(
        method,
        path,
        content=_chunked(content),
        headers={"Content-Type": "application/json", **headers},
    )


def test_a_chunked_patch_is_applied(client: httpx.Client, project: str) -> None:
    path, text = f"/api/v1/projects/{project}/", f"changed {uuid.uuid4()}"
    etag = client.get(path).headers.get("ETag", "")
    answer = _send(
        client, "PATCH", path, {"description": text}, **({"If-Match": etag} if etag else {})
    )
    assert answer.status_code == 200, answer.text
    assert client.get(path).json()["description"] == text


@pytest.mark.parametrize("padding", [0, 150_000], ids=["small", "large"])
def test_chunked_json_is_read(client: httpx.Client, project: str, padding: int) -> None:
    name = f"p{uuid.uuid4().hex[:12]}"
    step = {
        "id": "run",
        "uses": "command",
        "with": {"argv": ["true", *["x" * 10_000] * (padding // 10_000)]},
    }
    answer = _send(
        client,
        "POST",
        f"/api/v1/projects/{project}/pipelines/",
        {"name": name, "definition": {"steps": [step]}},
    )
    assert answer.status_code == 201, answer.text
    assert client.get(f"/api/v1/projects/{project}/pipelines/{name}/").status_code == 200


@pytest.mark.parametrize("rows", [10, 100_000], ids=["small", "large"])
def test_a_chunked_upload_is_read(client: httpx.Client, project: str, rows: int) -> None:
    name, table = (
        f"d{uuid.uuid4().hex[:12]}",
        b"n\n" + b"".join(b"%d\n" % number for number in range(rows)),
    )
    form = httpx.Request("POST", "http://x/", data={"name": name}, files={"file": ("t.csv", table)})
    answer = _send(
        client,
        "POST",
        f"/api/v1/projects/{project}/datasets/",
        form.read(),
        **{"Content-Type": form.headers["Content-Type"]},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["version"]["row_count"] == rows


def test_an_empty_chunked_body_is_an_empty_body(client: httpx.Client) -> None:
    answer = _send(client, "POST", "/api/v1/projects/", b"")
    assert answer.status_code == 400, answer.text


def test_a_chunked_body_above_the_limit_is_refused(client: httpx.Client) -> None:
    answer = _send(client, "POST", "/api/v1/projects/", b'{"name": "' + b"x" * 5 * MIB + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_chunked_sign_in_is_read(stack: Stack, people: dict[str, Person]) -> None:
    with httpx.Client(
        base_url=stack.described["frontend_url"], timeout=60, trust_env=False
    ) as client:
        answer = _send(
            client,
            "POST",
            "/api/v1/session/",
            {"username": people["viewer"].username, "password": PASSWORD},
        )
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("path", ["/signin/", "/admin/login/"])
def test_a_chunked_form_is_read(stack: Stack, people: dict[str, Person], path: str) -> None:
    with httpx.Client(
        base_url=stack.described["frontend_url"],
        timeout=60,
        trust_env=False,
        follow_redirects=False,
    ) as client:
        page = client.get(path)
        assert page.status_code == 200, path
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        form = httpx.Request(
            "POST",
            "http://x/",
            data={
                "csrfmiddlewaretoken": token[1] if token else "",
                "username": "nobody",
                "password": "wrong",
            },
        )
        headers = {
            "Content-Type": form.headers["Content-Type"],
            "Origin": str(client.base_url).rstrip("/"),
        }
        answer = _send(client, "POST", path, form.read(), **headers)
    assert answer.status_code not in (403, 411, 500), answer.text
    assert "nobody" in answer.text, "the form must keep the typed name"


@pytest.fixture(params=["frontend", "direct"])
def address(stack: Stack, request: pytest.FixtureRequest) -> tuple[str, int]:
    return "127.0.0.1", int(
        stack.environment["PORT" if request.param == "frontend" else "API_PORT"]
    )


def _raw(
    address: tuple[str, int], head: str, body: bytes = b"", *, seconds: float = 10.0
) -> tuple[bytes, bool]:
    """Send raw bytes; return the response and whether the connection was closed within a second."""
    with socket.create_connection(address, seconds) as connection:
        connection.sendall(
            head.replace("\n", "\r\n").format(port=address[1]).encode() + b"\r\n\r\n" + body
        )
        answer = connection.recv(65536)
        connection.settimeout(1)
        try:
            while piece := connection.recv(65536):
                answer += piece
            return answer, True
        except TimeoutError:
            return answer, False


def test_both_headers_of_a_body_are_refused_and_the_connection_ends(
    address: tuple[str, int],
) -> None:
    head = (
        "POST /api/v1/projects/ HTTP/1.1\nHost: localhost:{port}\nAuthorization: Bearer "
        "any\nContent-Length: 2\nTransfer-Encoding: chunked"
    )
    answer, closed = _raw(
        address, head, b"2\r\n{}\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1, "the rest must not be parsed as a request"
    assert closed


UNKNOWN = "Authorization: Bearer mimir_session_unknown"
ATTEMPT = "/worker/v1/attempts/00000000-0000-0000-0000-000000000000"
LARGE = [
    ("POST", "/api/v1/session/", "Content-Type: application/json", 1_000_000, 403),
    ("POST", "/api/v1/session/", f"{UNKNOWN}\nContent-Type: application/json", 3_000_000, 403),
    ("POST", "/api/v1/projects/", "Content-Type: application/json", 1_000_000, 401),
    ("POST", "/api/v1/projects/", f"{UNKNOWN}\nContent-Type: application/json", 3_000_000, 401),
    (
        "POST",
        "/api/v1/projects/contract/datasets/",
        "Content-Type: multipart/form-data; boundary=x",
        900 * MIB,
        401,
    ),
    (
        "POST",
        "/api/v1/projects/contract/datasets/",
        f"{UNKNOWN}\nContent-Type: multipart/form-data; boundary=x",
        900 * MIB,
        401,
    ),
    ("PUT", f"{ATTEMPT}/artifacts/a", "Content-Type: text/plain", 9000 * MIB, 401),
    ("PUT", f"{ATTEMPT}/artifacts/a", f"{UNKNOWN}\nContent-Type: text/plain", 9000 * MIB, 401),
    ("POST", f"{ATTEMPT}/logs?offset=0", UNKNOWN, 200_000, 401),
    ("POST", "/admin/login/", "Content-Type: application/x-www-form-urlencoded", 3_000_000, 403),
]


@pytest.mark.parametrize(("method", "path", "headers", "length", "status"), LARGE)
def test_a_large_body_is_not_read_before_authentication(
    stack: Stack, method: str, path: str, headers: str, length: int, status: int
) -> None:
    port = int(stack.environment["API_PORT"])
    before = _open_temporary_bytes(stack)
    began = time.monotonic()
    head = (
        f"{method} {path} HTTP/1.1\nHost: localhost:{{port}}\n{headers}\nContent-Length: {length}"
    )
    answer, _closed = _raw(("127.0.0.1", port), head, b"x" * 5000)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:400]
    assert time.monotonic() - began < 8, "the response must not wait for the body"
    assert _open_temporary_bytes(stack) <= before


def _open_temporary_bytes(stack: Stack) -> int:
    """Return the bytes that the servers hold in unnamed files."""
    total = 0
    for name in ("web", "frontend"):
        for pid in stack.pids(name):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    if "(deleted)" in str(link.readlink()):
                        total += link.stat().st_size
                except OSError:
                    continue
    return total


def test_a_large_anonymous_body_occupies_no_resource_of_the_frontend(stack: Stack) -> None:
    port = int(stack.environment["PORT"])
    for path, status in (
        ("/api/v1/session/", 413),
        ("/signin/", 413),
        ("/admin/login/", 413),
        ("/api/v1/projects/", 413),
    ):
        answer, _ = _raw(
            ("127.0.0.1", port),
            f"POST {path} HTTP/1.1\nHost: localhost:{{port}}\nContent-Length: 1000000",
            b"x" * 20_000,
        )
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (path, answer[:300])


def test_an_artifact_is_uploaded_to_the_storage_without_the_spool(
    stack: Stack, project: str, api: Api
) -> None:
    """The orchestrator holds none of the 96 MiB that a job writes, neither in an unnamed file nor
    in memory.
    """
    [web] = stack.pids("web")
    size = 96 * MIB
    script = f"open('outputs/large.bin', 'wb').write(bytes({size}))"
    step = {"id": "run", "uses": "command", "with": {"argv": ["python3", "-c", script]}}
    name = f"p{uuid.uuid4().hex[:12]}"
    api.post(f"projects/{project}/pipelines/", {"name": name, "definition": {"steps": [step]}})
    memory_before, most_spooled = psutil.Process(web).memory_info().rss, 0
    job = api.post(
        f"projects/{project}/jobs/",
        {"type": "pipeline_execution", "parameters": {"pipeline": name}},
    )["id"]
    end = time.monotonic() + 60
    while (
        api.get(f"jobs/{job}/")["status"] not in ("succeeded", "failed", "cancelled")
        and time.monotonic() < end
    ):
        most_spooled = max(most_spooled, _open_temporary_bytes(stack))
        time.sleep(0.05)
    assert api.get(f"jobs/{job}/")["status"] == "succeeded"
    [found] = api.get(f"jobs/{job}/artifacts/")["results"]
    assert found["sha256"] == hashlib.sha256(bytes(size)).hexdigest()
    assert most_spooled < 8 * MIB
    assert psutil.Process(web).memory_info().rss - memory_before < 64 * MIB
