"""The orchestrator's REST API for pages: one pool of connections, the signed-in user's token, and typed errors.

    project = api(request).get(f"projects/{slug}/")
    for row in api(request).get(project_jobs_path, {"status": ["queued", "running"]})["results"]: …

A path is relative to `/api/v1/`, or one that the API answered (`next`, beginning with `/api/`).
"""

import contextlib
import functools
import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import httpx
from django.conf import settings
from django.http import HttpRequest

from mimir.lib.request_signature import HEADER_NAME, Client, sign

PREFIX = "/api/v1/"
TIMEOUTS = httpx.Timeout(35.0, connect=2.0, pool=5.0)  # seconds
READ_TIMEOUTS = httpx.Timeout(
    10.0, connect=2.0, pool=5.0
)  # of a GET: somebody looks at an empty page meanwhile
UPLOAD_TIMEOUTS = httpx.Timeout(
    90.0, connect=2.0, pool=5.0
)  # the API reads a file for up to a minute before it answers
_LIMITS = httpx.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=3.0
)  # uvicorn hangs up after 5 s idle
_RETRY_SECONDS = 5.0

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
UploadFile = tuple[str, IO[bytes], str]  # name, stream, media type


class ApiError(Exception):
    """The API refused: `status`, stable `code`, `message` for people, `detail` (field path -> message, or facts)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail: dict[str, Any] = dict(detail or {})
        self.retry_after = retry_after


class Unavailable(ApiError):
    """The orchestrator is away, too slow, or cannot reach what it needs. `retry_after` is in seconds."""

    def __init__(
        self, message: str = "The orchestrator does not answer.", retry_after: float | None = None
    ) -> None:
        super().__init__(503, "unavailable", message, retry_after=retry_after or _RETRY_SECONDS)


class SignedOut(ApiError):
    """401: nobody is signed in, or the token has expired or was revoked."""


class Api:
    """The API as one user sees it. Every method raises ApiError, Unavailable or SignedOut, but `request_raw` only Unavailable."""

    def __init__(self, token: str | None, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, params: Params | None = None) -> dict[str, Any]:
        """The JSON object at `path`; parameters that are None are left out."""
        return _object(self.request_raw("GET", path, params=params))

    def get_with_etag(self, path: str) -> tuple[dict[str, Any], str]:
        """The JSON object and its ETag ("" when it has none), to send back as If-Match."""
        response = self.request_raw("GET", path)
        return _object(response), response.headers.get("ETag", "")

    def post(
        self,
        path: str,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> dict[str, Any]:
        """Send `json`; an answer without a body is an empty dict."""
        return _object(self.request_raw("POST", path, json=json, headers=headers, timeout=timeout))

    def patch(
        self,
        path: str,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> dict[str, Any]:
        """Change what is at `path`; `headers` may hold If-Match."""
        return _object(self.request_raw("PATCH", path, json=json, headers=headers, timeout=timeout))

    def put(
        self, path: str, json: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Make what is at `path`, or replace it; `headers` may hold If-Match."""
        return _object(self.request_raw("PUT", path, json=json, headers=headers))

    def delete(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """End or revoke what is at `path`."""
        return _object(self.request_raw("DELETE", path, headers=headers))

    def upload(
        self, path: str, data: Mapping[str, str], files: Mapping[str, UploadFile]
    ) -> dict[str, Any]:
        """POST a multipart form; the files are read while they are sent, never held in memory."""
        with _translated():
            response = _client().post(
                _path(path),
                data=dict(data),
                files=dict(files),
                headers=self._headers,
                timeout=UPLOAD_TIMEOUTS,
            )
        return _object(response)

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """A GET whose body the caller reads piece by piece, and need not read whole. Raises: ApiError as the other methods do."""
        request = _client().build_request(
            "GET",
            _path(path),
            headers={**self._headers, "Accept-Encoding": "identity"},
            timeout=READ_TIMEOUTS,
        )
        with _translated():
            response = _client().send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                yield checked(response)
            finally:
                response.close()

    def request_raw(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> httpx.Response:
        """The whole answer, whatever its status. A GET whose connection broke before an answer is tried once more."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        build = functools.partial(
            _client().build_request,
            method,
            _path(path),
            params=given or None,
            json=json,
            headers={**self._headers, **(headers or {})},
            timeout=timeout or (READ_TIMEOUTS if method == "GET" else TIMEOUTS),
        )
        with _translated():
            try:
                return _client().send(build())
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if method != "GET":
                    raise
                return _client().send(build())


def api(request: HttpRequest) -> Api:
    """The API for whoever signed this request's session, or for nobody."""
    session = getattr(request, "session", None)
    return Api(session.get("token") if session is not None else None, _passed_on(request))


def checked(response: httpx.Response) -> httpx.Response:
    """`response` when it is a success. Raises: ApiError, Unavailable, SignedOut."""
    if response.is_success:
        return response
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    message = str(body.get("message") or f"The orchestrator answered {response.status_code}.")
    retry_after = _seconds(response.headers.get("Retry-After"))
    if response.status_code in (502, 503, 504):
        raise Unavailable(message, retry_after)
    detail = body.get("detail")
    kind = SignedOut if response.status_code == 401 else ApiError
    raise kind(
        response.status_code,
        str(body.get("code") or "bad_answer"),
        message,
        detail if isinstance(detail, dict) else None,
        retry_after,
    )


def _object(response: httpx.Response) -> dict[str, Any]:
    if not checked(response).content:
        return {}
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError(
            502, "bad_answer", "The orchestrator answered with something that is not a JSON object."
        )
    return answer


def _path(path: str) -> str:
    """The path with its query below `/api/`. Raises: ApiError 404 for one that a part of it would lead elsewhere."""
    full = path if path.startswith("/") else PREFIX + path
    plain = unquote(urlsplit(full).path)
    if not plain.startswith("/api/") or re.search(r"//|\\|[\x00-\x1f\x7f]|/\.{1,2}(/|$)", plain):
        raise ApiError(404, "not_found", "There is nothing here.")
    return full


def _passed_on(request: HttpRequest) -> dict[str, str]:
    """Who asks, as `mimir.lib.forwarded` established it, with which browser, and the request's id."""
    meta = request.META
    headers = {
        "X-Forwarded-For": meta.get("HTTP_X_FORWARDED_FOR") or meta.get("REMOTE_ADDR") or "",
        "X-Forwarded-Proto": "https" if request.is_secure() else "http",
        "X-Forwarded-Host": meta.get("HTTP_X_FORWARDED_HOST") or meta.get("HTTP_HOST") or "",
        "X-Request-ID": meta.get("HTTP_X_REQUEST_ID") or "",
        "User-Agent": (meta.get("HTTP_USER_AGENT") or "")[:300],
    }
    return {
        name: value.encode("ascii", "replace").decode("ascii")
        for name, value in headers.items()
        if value
    }


class _Proving(httpx.Auth):
    """Adds the proof that we pass a request on, for the client that the X-Forwarded-* headers beside it name."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        given = request.headers
        client = Client(
            given.get("X-Forwarded-For", ""),
            given.get("X-Forwarded-Proto") == "https",
            given.get("X-Forwarded-Host", given.get("Host", "")),
        )
        target = request.url.raw_path
        given[HEADER_NAME] = sign(
            client,
            method=request.method,
            target=target,
            keys=settings.ENV.frontend_keys,
            now=time.time(),
        )
        yield request


@functools.cache
def _client() -> httpx.Client:
    """One pool for the process. The Host is the public one: the orchestrator is sure to answer to it."""
    return httpx.Client(
        base_url=settings.ENV.api_url,
        headers={
            "Host": urlsplit(settings.ENV.public_url).netloc,
            "Accept": "application/json",
            "User-Agent": "mimir-frontend",
        },
        timeout=TIMEOUTS,
        limits=_LIMITS,
        follow_redirects=False,
        auth=_Proving(),
        trust_env=False,
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turns the network's errors into Unavailable."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unavailable("The orchestrator did not answer in time.") from error
    except httpx.TransportError as error:
        raise Unavailable() from error


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None
