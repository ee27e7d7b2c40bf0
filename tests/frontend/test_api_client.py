"""API client of the pages, against a real server."""

import io
from collections.abc import Iterator

import httpx
import pytest

from mimir.frontend import api_client
from mimir.frontend.api_client import Api, ApiError, SignedOut, Unavailable
from tests.frontend.upstream import Upstream, free_port


@pytest.fixture
def api(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Return the client, connected to the tests' upstream instead of API_URL."""
    upstream.tokens.add("known")
    with httpx.Client(base_url=upstream.url, trust_env=False, timeout=5) as connections:
        monkeypatch.setattr(api_client, "_client", lambda: connections)
        yield Api("known", {"X-Request-ID": "an-id-of-a-request", "X-Forwarded-For": "203.0.113.7"})


def test_a_request_names_the_user_and_the_request_id(api: Api) -> None:
    headers = dict(
        api.get("echo/", {"q": "a b", "status": ["queued", "running"], "none": None})["headers"]
    )
    assert headers["authorization"] == "Bearer known"
    assert headers["x-request-id"] == "an-id-of-a-request"
    assert headers["x-forwarded-for"] == "203.0.113.7"


def test_none_parameters_are_omitted(api: Api) -> None:
    answer = api.get("echo/", {"q": "a b", "status": ["queued", "running"], "none": None})
    assert answer["target"] == "/api/v1/echo/?q=a+b&status=queued&status=running"
    assert api.get("/api/v1/echo/?cursor=7")["target"] == "/api/v1/echo/?cursor=7", (
        "a `next` as the API gave it"
    )


@pytest.mark.parametrize(
    "path",
    [
        "../../worker/v1/",
        "a/../../b/",
        "%2e%2e/x/",
        "a//b/",
        "/worker/v1/",
        "http://evil.example/",
        "a\\b",
    ],
)
def test_a_path_cannot_leave_the_api(api: Api, path: str) -> None:
    with pytest.raises(ApiError) as refused:
        api.get(path)
    assert refused.value.status == 404


def test_errors_have_their_types(api: Api) -> None:
    with pytest.raises(ApiError) as conflict:
        api.get("projects/", {"status": 409})
    error = conflict.value
    assert (error.status, error.code, error.message, error.detail, error.retry_after) == (
        409,
        "as_asked",
        "Refused as asked.",
        {"field": "why"},
        7,
    )
    with pytest.raises(Unavailable):
        api.get("projects/", {"status": 503})
    with pytest.raises(SignedOut):
        Api("unknown", {}).get("projects/")
    with pytest.raises(ApiError, match="not a JSON object"):
        api.get("content/")


def test_the_etag_is_returned(api: Api) -> None:
    assert api.get_with_etag("projects/")[1] == '"7"'


def test_a_get_is_retried_and_a_post_is_not(api: Api, upstream: Upstream) -> None:
    upstream.flaky = 0
    assert api.get("flaky/") == {"tries": 2}
    with pytest.raises(Unavailable):
        api.post("flaky/", {})
    assert upstream.flaky == 3


def test_an_empty_answer_is_an_empty_dict(api: Api, upstream: Upstream) -> None:
    upstream.tokens.add("once")
    assert Api("once", {}).delete("session/") == {}


def test_a_file_is_sent_as_a_form(api: Api) -> None:
    answer = api.upload(
        "echo/", {"name": "a"}, {"file": ("a.csv", io.BytesIO(b"x" * 3_000_000), "text/csv")}
    )
    assert answer["size"] > 3_000_000
    assert dict(answer["headers"])["content-type"].startswith("multipart/form-data; boundary=")


def test_a_refused_connection_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", trust_env=False) as connections:
        monkeypatch.setattr(api_client, "_client", lambda: connections)
        with pytest.raises(Unavailable) as away:
            Api(None, {}).get("projects/")
    assert away.value.retry_after
