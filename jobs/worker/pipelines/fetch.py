"""Download of a user's URL: http and https, public addresses only, bounded in size and time.

Each redirect is checked. The connection is made to the address that was checked, so that a second
DNS answer cannot lead to another address (DNS rebinding).
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote, urljoin, urlsplit

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed
from mimir.lib.addresses import is_public, plain

REDIRECTS_MAX = 5
CONNECT_SECONDS, TOTAL_SECONDS = 30.0, 1800.0
BYTES_MAX = 10 * 1024**3
PIECE_BYTES = 1024 * 1024
_TOO_LONG = f"it took longer than {TOTAL_SECONDS:.0f} s"
# characters allowed in a path and a query; others are percent-encoded
_AS_IT_IS = "%/?:@!$&'()*+,;=~-._[]"


def fetch_url(url: str, path: Path, *, allow: Sequence[str]) -> None:
    """Download `url` to the file `path`.

    `allow`: private hosts and CIDRs from READ_URL_ALLOW. Raises: WorkFailed: `source_unavailable`
    if a retry can help, else `invalid_input`; `disk_full`.
    """
    end = time.monotonic() + TOTAL_SECONDS
    for _ in range(REDIRECTS_MAX + 1):
        target = _ask(url, path, allow, end)
        if target is None:
            return
        url = _joined(url, target)
    raise WorkFailed(
        FailureReason.INVALID_INPUT,
        f"more than {REDIRECTS_MAX} redirects; the last one to {url[:300]}",
    )


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"redirected to {target[:300]}, which is not a URL: {error}",
        ) from error


def _ask(url: str, path: Path, allow: Sequence[str], end: float) -> str | None:
    """Send one request. Return the redirect's target, or None once the body is in `path`."""
    scheme, host, port, resource = _parts(url)
    late = threading.Event()
    try:
        connection = _connect(scheme, host, port, allow, end)
        with contextlib.closing(connection), _ended_at(connection, end, late):
            connection.request(
                "GET",
                resource,
                headers={"Accept-Encoding": "identity", "User-Agent": "mimir-worker"},
            )
            response = connection.getresponse()
            if response.status in (301, 302, 303, 307, 308):
                return response.getheader("Location") or ""
            _check(response, url)
            size = _save(response, path)
            _check_whole(response, size, late)
            return None
    except (OSError, http.client.HTTPException) as error:
        why = _TOO_LONG if late.is_set() else str(error) or type(error).__name__
        raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, f"{url[:300]} failed: {why}") from error


def _parts(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and request target. Raises: WorkFailed for another scheme."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"{url[:300]} is not a URL: {error}"
        ) from error
    if parts.scheme not in ("http", "https") or not host:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"redirected to {url[:300]}, which is not http or https"
        )
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return (
        parts.scheme,
        host,
        port or (443 if parts.scheme == "https" else 80),
        quote(resource, safe=_AS_IT_IS),
    )


@contextlib.contextmanager
def _ended_at(
    connection: http.client.HTTPConnection, end: float, late: threading.Event
) -> Iterator[None]:
    """Cut the connection at `end`.

    Each read has its own timeout, but a slow source can stay below it without limit.
    """

    opened = (
        connection.sock
    )  # http.client drops the socket for a response without a length, and keeps reading

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(
                opened, socket.SHUT_RDWR
            )  # not TLS's shutdown, which sends data first

    timer = threading.Timer(max(0.0, end - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check(response: http.client.HTTPResponse, url: str) -> None:
    if response.status == 429 or response.status >= 500:
        raise WorkFailed(
            FailureReason.SOURCE_UNAVAILABLE,
            f"{url[:300]} answered {response.status} {response.reason}",
        )
    if response.status != 200:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"{url[:300]} answered {response.status} {response.reason}"
        )
    if response.getheader("Content-Encoding", "identity") != "identity":
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{url[:300]} sent a compressed response, which was not requested",
        )


def _save(response: http.client.HTTPResponse, path: Path) -> int:
    """Write the body to the file and return its size in bytes."""
    size = 0
    with _file(path) as file:
        while piece := response.read(PIECE_BYTES):
            size += len(piece)
            if size > BYTES_MAX:
                raise WorkFailed(
                    FailureReason.INVALID_INPUT, f"it is larger than {BYTES_MAX} bytes"
                )
            try:
                file.write(piece)
            except OSError as error:
                raise WorkFailed(
                    FailureReason.DISK_FULL, f"it could not be saved: {error.strerror}"
                ) from error
    return size


@contextlib.contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise WorkFailed(
            FailureReason.DISK_FULL, f"it could not be saved: {error.strerror}"
        ) from error
    with file:
        yield file


def _check_whole(response: http.client.HTTPResponse, size: int, late: threading.Event) -> None:
    length = response.getheader("Content-Length")
    if late.is_set():
        raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, _TOO_LONG)
    if length is not None and length.isdigit() and size != int(length):
        raise WorkFailed(
            FailureReason.SOURCE_UNAVAILABLE, f"it ended after {size} of {length} bytes"
        )


def _connect(
    scheme: str, host: str, port: int, allow: Sequence[str], end: float
) -> http.client.HTTPConnection:
    """Connect to a checked address, with the host's own name for TLS."""
    opened = _open(_addresses(host, port, allow), port, end)
    connection: http.client.HTTPConnection
    try:
        if scheme == "https":
            opened = ssl.create_default_context().wrap_socket(opened, server_hostname=host)
            connection = http.client.HTTPSConnection(host, port)
        else:
            connection = http.client.HTTPConnection(host, port)
    except BaseException:
        opened.close()
        raise
    connection.sock = opened
    return connection


def _addresses(host: str, port: int, allow: Sequence[str]) -> list[str]:
    """Return the addresses of a host. Raises: WorkFailed unless all of them are allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"{host[:300]} is not a valid host name"
        ) from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    refused = [address for address in addresses if not is_allowed(host, address, allow)]
    if refused:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{host} is at {refused[0]}, a private or special-purpose address. "
            "An administrator can allow it in READ_URL_ALLOW",
        )
    return addresses


def _open(addresses: Sequence[str], port: int, end: float) -> socket.socket:
    """Connect to the first reachable address: a machine can lack IPv6. Raises: OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout=_seconds(end))
    return socket.create_connection((addresses[-1], port), timeout=_seconds(end))


def _seconds(end: float) -> float:
    return max(0.001, min(CONNECT_SECONDS, end - time.monotonic()))


def is_allowed(host: str, address: str, allow: Sequence[str]) -> bool:
    """Return whether `host` at `address` can be read: it is public or in READ_URL_ALLOW."""
    resolved = ipaddress.ip_address(address.partition("%")[0])
    parsed = plain(resolved)
    for entry in allow:
        if entry.casefold() == host.casefold():
            return True
        with contextlib.suppress(ValueError):
            if parsed in ipaddress.ip_network(entry, strict=False):
                return True
    return is_public(resolved)
