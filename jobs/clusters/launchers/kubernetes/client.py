"""HTTP client of one API server: raw JSON, rate limit, and TLS checks that cannot be disabled.

Credentials and the connection pool come from the official client. Its models are not used: they
cost more than the requests.
"""

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from jobs.clusters.launchers.base import Target
from jobs.diagnosis.kubernetes.objects import at
from mimir.lib.json_types import JsonObject

PAGE = 500
CREDENTIALS_SECONDS = 1.0
PIECE_BYTES = 256 * 1024
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
Query = Mapping[str, str | int]


class Away(OSError):
    """The server gave no usable answer; the request may have been executed."""


class Unconfigured(OSError):
    """No request is possible: the cluster's credentials are missing or invalid."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of the API server. `retry_after`: seconds; None without such a header."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> JsonObject:
        """Return the body; empty if it is not a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def message(self) -> str:
        """Return the server's error message."""
        return str(
            self.json().get("message")
            or self.body[:300].decode("utf-8", "replace")
            or f"status {self.status}"
        )


class Bucket:
    """Token bucket of `rate` requests per second and at most `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._level, self._at = float(burst), time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a token."""
        with self._lock:
            now = time.monotonic()
            self._level = min(self._burst, self._level + (now - self._at) * self._rate) - 1
            self._at = now
            wait = -self._level / self._rate
        if wait > 0:
            time.sleep(wait)


class Api:
    """Client of one API server. Safe to share between threads."""

    def __init__(self, target: Target) -> None:
        """Connect to `target`. Raises: Unconfigured."""
        self._target = target
        self._bucket = Bucket(target.qps, target.burst)
        self._configuration, manager = _connect(target)
        self.namespace = target.namespace or _own_namespace()
        self._base = self._configuration.host.rstrip("/")
        self._known: tuple[float, dict[str, str]] = (0.0, {})
        # The manager would look up the pool for each request, which costs a quarter of a request.
        proxied = manager.proxy is not None
        self._pool = manager if proxied else manager.connection_from_url(self._base)
        self._root = self._base if proxied else urlsplit(self._base).path

    def path(self, resource: str, name: str = "", sub: str = "") -> str:
        """Return the path of a namespaced resource: `jobs`, `pods`, `events`."""
        group = "/apis/batch/v1" if resource == "jobs" else "/api/v1"
        parts = [f"{group}/namespaces/{self.namespace}/{resource}", name, sub]
        return "/".join(part for part in parts if part)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        """Send a request and return the complete answer, whatever its status.

        Raises: Away, Unconfigured.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        response = self._send(method, path, query, data, self._target.timeout_seconds, whole=True)
        if response.status == 401:
            self._known = (0.0, {})
        return Answer(response.status, response.data, _seconds(response.headers.get("Retry-After")))

    def pages(self, path: str, query: Query | None = None) -> Iterator[JsonObject]:
        """Yield the pages of a list, all of one resource version.

        The list is read from the server's store, not from a watch cache. The next page is requested
        while the caller works on this one. Raises: Away, Unconfigured.
        """
        page_query = {**(query or {}), "limit": PAGE}
        page = _page(path, self.request("GET", path, query=page_query))
        while following := str(at(page, "metadata").get("continue") or ""):
            page_query = {**page_query, "continue": following}
            answer = _sent(partial(self.request, "GET", path, query=page_query))
            yield page
            del page  # each page takes several MB
            page = _page(path, answer.result())
            del answer
        yield page

    def lines(self, path: str, query: Query, *, silence_seconds: float) -> Iterator[bytes]:
        """Yield the lines of a streamed answer until the server ends it. Raises: see `pieces`."""
        left = b""
        for piece in self.pieces(path, query, silence_seconds=silence_seconds):
            *lines, left = (left + piece).split(b"\n")
            yield from (line for line in lines if line)
        if left.strip():
            yield left

    def pieces(self, path: str, query: Query, *, silence_seconds: float) -> Iterator[bytes]:
        """Yield the bytes of a streamed answer as they arrive.

        Raises: Refused; Away, also after `silence_seconds` without a byte.
        """
        import urllib3

        response = self._send("GET", path, query, None, silence_seconds, whole=False)
        try:
            if response.status != 200:
                raise Refused(
                    Answer(response.status, response.read(64 * 1024, decode_content=True))
                )
            if response.chunked:
                # One event per piece, at half the cost of read1.
                yield from response.read_chunked(PIECE_BYTES)
            else:
                while piece := response.read1(PIECE_BYTES):
                    yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, Refused):
                raise
            raise Away(f"the stream of {path} broke: {type(error).__name__}") from error
        finally:
            response.close()
            response.release_conn()

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        data: bytes | None,
        timeout: float,
        *,
        whole: bool,
    ) -> Any:
        import urllib3

        self._bucket.take()
        url = f"{self._root}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Accept": "application/json",
            **({"Content-Type": "application/json"} if data is not None else {}),
            **self._credentials(),
        }
        limits = urllib3.Timeout(connect=min(timeout, self._target.timeout_seconds), read=timeout)
        try:
            return self._pool.urlopen(
                method,
                url,
                body=data,
                headers=headers,
                timeout=limits,
                retries=False,
                redirect=False,
                preload_content=whole,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(f"{self._base} did not answer: {_why(error)}") from error

    def _credentials(self) -> dict[str, str]:
        """Return the request headers with the current token.

        A service account's token is renewed on disk. It is read at most once per second: a read
        costs a tenth of a request.
        """
        now = time.monotonic()
        read_at, known = self._known
        if known and now - read_at < CREDENTIALS_SECONDS:
            return known
        try:
            settings = self._configuration.auth_settings()
        except Exception as error:  # any error of a credential plugin
            raise Unconfigured(
                f"the cluster's credentials cannot be read: {type(error).__name__}"
            ) from error
        known = {each["key"]: each["value"] for each in settings.values() if each.get("value")}
        self._known = now, known
        return known


def _sent(send: Callable[[], Answer]) -> Future[Answer]:
    """Send a request on a daemon thread, which does not delay the exit of the process."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(send())
        except Exception as error:  # raised again where the answer is needed
            answer.set_exception(error)

    threading.Thread(target=run, name="next page", daemon=True).start()
    return answer


def _page(path: str, answer: Answer) -> JsonObject:
    """Return a page of a list. Raises: Away."""
    if answer.status != 200:
        raise Away(f"{path} was answered with {answer.status}: {answer.message()[:300]}")
    page = answer.json()
    if not str(page.get("kind") or "").endswith("List"):
        # An empty list would mean that all objects were removed.
        raise Away(f"{path} returned an object that is not a list")
    return page


class Refused(OSError):
    """The answer to a streamed request has a status other than 200."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"answered with {answer.status}: {answer.message()[:300]}")
        self.answer = answer


def _connect(target: Target) -> tuple[Any, Any]:
    """Return the official client's configuration and connection pool.

    Imports the official client, which takes 50 MB and over a second, only when a cluster is used.
    """
    import os

    from kubernetes import client, config

    configuration = client.Configuration()
    configuration.connection_pool_maxsize = target.connections + 8
    configuration.retries = False
    inside = not target.context and (
        "KUBERNETES_SERVICE_HOST" in os.environ or not target.kubeconfig_file
    )
    try:
        if inside:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                target.kubeconfig_file,
                target.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
    except Exception as error:  # ConfigException, OSError, errors of YAML and of credential plugins
        where = (
            "the service account of this pod"
            if inside
            else f"the context {target.context or '(current)'} of {target.kubeconfig_file}"
        )
        raise Unconfigured(f"{where} cannot be used: {error}") from error
    _check_tls(configuration)
    return configuration, client.ApiClient(configuration).rest_client.pool_manager


def _check_tls(configuration: Any) -> None:
    """Refuse a connection that does not authenticate the server.

    Plain HTTP is allowed on the loopback interface only, for example to `kubectl proxy`.
    """
    parts = urlsplit(configuration.host)
    if parts.scheme == "https":
        if not configuration.verify_ssl:
            raise Unconfigured(
                "the kubeconfig sets insecure-skip-tls-verify: "
                "configure the cluster's certificate authority instead"
            )
        return
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Unconfigured(
            f"{configuration.host} is not https: an API server is reached over TLS only"
        )


def _own_namespace() -> str:
    try:
        return NAMESPACE_FILE.read_text().strip() or "default"
    except OSError:
        return "default"


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _why(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
