"""One cluster's API server over HTTP: credentials from the official client, raw JSON, a rate limit, never without TLS checks.

The official client's models cost more than the requests, so that only its configuration and its connection pool are used.
"""

import ipaddress
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from jobs.clusters.launchers.base import Target

PAGE = 500
CREDENTIALS_SECONDS = 1.0
PIECE_BYTES = 256 * 1024
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
Query = Mapping[str, str | int]


class Away(OSError):
    """No answer, or none that says anything: what was asked may have been done, or not."""


class Unconfigured(OSError):
    """The cluster cannot be asked: its credentials are missing or not fit to use."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> dict[str, Any]:
        """The body; empty for what is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def message(self) -> str:
        """The server's own sentence."""
        return str(
            self.json().get("message")
            or self.body[:300].decode("utf-8", "replace")
            or f"status {self.status}"
        )


class Bucket:
    """A token bucket: `rate` requests a second, `burst` of them at once."""

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
    """Requests to one API server. Safe to share between threads."""

    def __init__(self, target: Target) -> None:
        """Raises: Unconfigured."""
        self._target = target
        self._bucket = Bucket(target.qps, target.burst)
        self._configuration, manager = _connect(target)
        self.namespace = target.namespace or _own_namespace()
        self._base = self._configuration.host.rstrip("/")
        self._known: tuple[float, dict[str, str]] = (0.0, {})
        # Asked for by the manager, the pool is looked up anew for each request: a quarter of what a request costs here.
        proxied = manager.proxy is not None
        self._pool = manager if proxied else manager.connection_from_url(self._base)
        self._root = self._base if proxied else urlsplit(self._base).path

    def path(self, resource: str, name: str = "", sub: str = "") -> str:
        """The path of a namespaced resource: `jobs`, `pods`, `events`."""
        group = "/apis/batch/v1" if resource == "jobs" else "/api/v1"
        parts = [f"{group}/namespaces/{self.namespace}/{resource}", name, sub]
        return "/".join(part for part in parts if part)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One request and its whole answer, whatever its status. Raises: Away, Unconfigured."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        response = self._send(method, path, query, data, self._target.timeout_seconds, whole=True)
        if response.status == 401:
            self._known = (0.0, {})
        return Answer(response.status, response.data, _seconds(response.headers.get("Retry-After")))

    def pages(self, path: str, query: Query | None = None) -> Iterator[dict[str, Any]]:
        """A list's pages, all of one moment, from the store and not from a watch cache. Raises: Away, Unconfigured."""
        following = ""
        while True:
            asked = {
                **(query or {}),
                "limit": PAGE,
                **({"continue": following} if following else {}),
            }
            answer = self.request("GET", path, query=asked)
            if answer.status != 200:
                raise Away(f"{path} was answered with {answer.status}: {answer.message()[:300]}")
            page = answer.json()
            if not str(page.get("kind") or "").endswith("List"):
                raise Away(
                    f"{path} was answered with something that is no list"
                )  # an empty one would say that all is gone
            yield page
            following = page.get("metadata", {}).get("continue", "")
            if not following:
                return

    def lines(self, path: str, query: Query, *, silence_seconds: float) -> Iterator[bytes]:
        """A streamed answer's lines as they come; ends when the server ends it. Raises: as `pieces`."""
        left = b""
        for piece in self.pieces(path, query, silence_seconds=silence_seconds):
            *lines, left = (left + piece).split(b"\n")
            yield from (line for line in lines if line)
        if left.strip():
            yield left

    def pieces(self, path: str, query: Query, *, silence_seconds: float) -> Iterator[bytes]:
        """A streamed answer's bytes as they come. Raises: Refused, and Away, also after `silence_seconds` without a byte."""
        import urllib3

        response = self._send("GET", path, query, None, silence_seconds, whole=False)
        try:
            if response.status != 200:
                raise Refused(
                    Answer(response.status, response.read(64 * 1024, decode_content=True))
                )
            if response.chunked:
                yield from response.read_chunked(
                    PIECE_BYTES
                )  # an event a piece, at half of what read1 costs
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
            raise Away(f"{self._base} gave no answer: {_why(error)}") from error

    def _credentials(self) -> dict[str, str]:
        """The token as it is on disk, where a service account's is renewed; read once a second, since a look costs a tenth of a request."""
        now = time.monotonic()
        read_at, known = self._known
        if known and now - read_at < CREDENTIALS_SECONDS:
            return known
        try:
            settings = self._configuration.auth_settings()
        except Exception as error:  # whatever a credential plugin raises
            raise Unconfigured(
                f"the cluster's credentials cannot be read: {type(error).__name__}"
            ) from error
        known = {each["key"]: each["value"] for each in settings.values() if each.get("value")}
        self._known = now, known
        return known


class Refused(OSError):
    """A streamed request was answered with a status that is not 200."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"answered with {answer.status}: {answer.message()[:300]}")
        self.answer = answer


def _connect(target: Target) -> tuple[Any, Any]:
    """The official client's configuration and connection pool. Imports it: 50 MB and more than a second, so only where a cluster is asked."""
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
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                target.kubeconfig_file,
                target.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
    except (
        Exception
    ) as error:  # ConfigException, OSError, YAML errors, and what credential plugins raise
        where = (
            "the service account of this pod"
            if inside
            else f"the context {target.context or '(current)'} of {target.kubeconfig_file}"
        )
        raise Unconfigured(f"{where} cannot be used: {error}") from error
    _check_tls(configuration)
    return configuration, client.ApiClient(configuration).rest_client.pool_manager


def _check_tls(configuration: Any) -> None:
    """Refuse what would talk to anybody who answers. Plain HTTP is for this machine's own loopback, as `kubectl proxy` offers it."""
    parts = urlsplit(configuration.host)
    if parts.scheme == "https":
        if not configuration.verify_ssl:
            raise Unconfigured(
                "the kubeconfig says insecure-skip-tls-verify: give it the cluster's certificate authority instead"
            )
        return
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Unconfigured(
            f"{configuration.host} is not https: an API server is asked over TLS only"
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
