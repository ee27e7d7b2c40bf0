"""Client of the orchestrator's REST API: connection pool, user's token, typed errors.

Example:

    project: Project = api(request).get(f"projects/{slug}/")

A path is relative to `/api/v1/`, or absolute as the API returned it (`next`, beginning with
`/api/`).
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

from mimir.lib.errors import NOT_FOUND
from mimir.lib.json_types import Json, JsonObject
from mimir.lib.request_signature import HEADER_NAME, Client, sign

PREFIX = "/api/v1/"
TIMEOUTS = httpx.Timeout(35.0, connect=2.0, pool=5.0)  # seconds
READ_TIMEOUTS = httpx.Timeout(10.0, connect=2.0, pool=5.0)  # of a GET: the user waits for the page
UPLOAD_TIMEOUTS = httpx.Timeout(
    90.0, connect=2.0, pool=5.0
)  # the API parses a file for up to a minute before it answers
_LIMITS = httpx.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=3.0
)  # idle connections expire before the orchestrator closes them (75 s, see `mimir.serve`)
_RETRY_SECONDS = 5.0

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
UploadFile = tuple[str, IO[bytes], str]  # name, stream, media type


class ApiError(Exception):
    """Error answer of the API: status, stable code, message, detail (messages by field path)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Mapping[str, Json] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail: JsonObject = dict(detail or {})
        self.retry_after = retry_after


class Unavailable(ApiError):
    """The orchestrator is down, too slow, or lost a service it needs. Has `retry_after` seconds.

    `is_busy`: the orchestrator refused the request because of overload, before it did any work.
    """

    def __init__(
        self,
        message: str = "The orchestrator does not answer.",
        retry_after: float | None = None,
        *,
        is_busy: bool = False,
    ) -> None:
        super().__init__(503, "unavailable", message, retry_after=retry_after or _RETRY_SECONDS)
        self.is_busy = is_busy


class SignedOut(ApiError):
    """401: no token, or the token expired or was revoked."""


class Api:
    """Client of the API with the token of one user.

    Every method raises ApiError, Unavailable or SignedOut; `request_raw` raises only Unavailable,
    or ApiError 404 for a path outside of `/api/`.
    """

    def __init__(self, token: str | None, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the JSON object at `path`; parameters that are None are omitted.

        The caller annotates the answer with a shape from `api_types`.
        """
        return _object(self.request_raw("GET", path, params=params))

    def get_with_etag(self, path: str) -> tuple[Any, str]:
        """Return the JSON object and its ETag, for If-Match. The ETag is empty if there is none."""
        response = self.request_raw("GET", path)
        return _object(response), response.headers.get("ETag", "")

    def post(
        self,
        path: str,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> Any:
        """Send `json`. An empty answer is an empty dict."""
        return _object(self.request_raw("POST", path, json=json, headers=headers, timeout=timeout))

    def patch(
        self,
        path: str,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> Any:
        """Change the resource at `path`. `headers` can hold If-Match."""
        return _object(self.request_raw("PATCH", path, json=json, headers=headers, timeout=timeout))

    def put(self, path: str, json: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """Create or replace the resource at `path`. `headers` can hold If-Match."""
        return _object(self.request_raw("PUT", path, json=json, headers=headers))

    def delete(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Delete or revoke the resource at `path`."""
        return _object(self.request_raw("DELETE", path, headers=headers))

    def upload(self, path: str, data: Mapping[str, str], files: Mapping[str, UploadFile]) -> Any:
        """POST a multipart form. Files are streamed, never held in memory."""
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
        """Stream the body of a GET. The caller can stop early.

        Raises: ApiError, Unavailable, SignedOut.
        """
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
        """Return the complete response, whatever its status.

        A GET is repeated once if the connection broke before an answer.
        """
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
    """Return the API for the signed-in user of `request`, or for an anonymous one."""
    session = getattr(request, "session", None)
    return Api(session.get("token") if session is not None else None, _forwarded_headers(request))


def checked(response: httpx.Response) -> httpx.Response:
    """Return a successful response unchanged.

    Raises: ApiError, Unavailable, SignedOut.
    """
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
        raise Unavailable(message, retry_after, is_busy=body.get("code") == "overloaded")
    detail = body.get("detail")
    kind = SignedOut if response.status_code == 401 else ApiError
    raise kind(
        response.status_code,
        str(body.get("code") or "bad_answer"),
        message,
        detail if isinstance(detail, dict) else None,
        retry_after,
    )


def _object(response: httpx.Response) -> Any:
    if not checked(response).content:
        return {}
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError(502, "bad_answer", "The orchestrator's response is not a JSON object.")
    return answer


def _path(path: str) -> str:
    """Return the full path below `/api/`.

    Raises: ApiError 404 for a path that could resolve to an address outside of it.
    """
    full = path if path.startswith("/") else PREFIX + path
    plain = unquote(urlsplit(full).path)
    if not plain.startswith("/api/") or re.search(r"//|\\|[\x00-\x1f\x7f]|/\.{1,2}(/|$)", plain):
        raise ApiError(404, "not_found", NOT_FOUND)
    return full


def _forwarded_headers(request: HttpRequest) -> dict[str, str]:
    """Headers with the client's address, scheme, host and browser, and the request ID."""
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


class _SignedAuth(httpx.Auth):
    """Sign each request as forwarded for the client named in its X-Forwarded-* headers."""

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
    """Return the connection pool of this process.

    The Host header is the public one, which the orchestrator always accepts.
    """
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
        auth=_SignedAuth(),
        trust_env=False,
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raise network errors as Unavailable."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unavailable("The orchestrator did not answer in time.") from error
    except httpx.TransportError as error:
        raise Unavailable() from error


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None
