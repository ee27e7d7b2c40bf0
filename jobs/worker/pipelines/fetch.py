"""Reading a URL that a user wrote: http and https, public addresses only, each hop checked, bounded in size and time.

The address is checked after it is resolved and then connected to itself, so that a name cannot mean one address when it is checked and
another one when it is used.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from jobs.contract import FailureReason
from jobs.worker.orders import WorkFailed

REDIRECTS_MAX = 5
CONNECT_SECONDS, TOTAL_SECONDS = 30.0, 1800.0
BYTES_MAX = 10 * 1024**3
PIECE_BYTES = 1024 * 1024
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def fetch_url(url: str, path: Path, *, allow: Sequence[str]) -> None:
    """The body of `url` in the file `path`. `allow`: private hosts and CIDRs an administrator permits (READ_URL_ALLOW).

    Raises: WorkFailed, `source_unavailable` for what another try may mend, else `invalid_input`.
    """
    end = time.monotonic() + TOTAL_SECONDS
    for _ in range(REDIRECTS_MAX + 1):
        target = _ask(url, path, allow, end)
        if target is None:
            return
        url = urljoin(url, target)
    raise WorkFailed(FailureReason.INVALID_INPUT, f"more than {REDIRECTS_MAX} redirects; the last one to {url[:300]}")


def _ask(url: str, path: Path, allow: Sequence[str], end: float) -> str | None:
    """One request; where it redirects to, or None when the body is in `path`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WorkFailed(FailureReason.INVALID_INPUT, f"redirected to {url[:300]}, which is not http or https")
    try:
        connection = _connect(parts.scheme, parts.hostname, parts.port, allow)
        with contextlib.closing(connection):
            resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", resource, headers={"Accept-Encoding": "identity", "User-Agent": "mimir-worker"})
            response = connection.getresponse()
            if response.status in (301, 302, 303, 307, 308):
                return response.getheader("Location") or ""
            _check(response, url)
            _save(response, path, end)
            return None
    except (OSError, http.client.HTTPException) as error:
        raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, f"{url[:300]} did not answer as it should: {error}") from error


def _check(response: http.client.HTTPResponse, url: str) -> None:
    if response.status == 429 or response.status >= 500:
        raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, f"{url[:300]} answered {response.status} {response.reason}")
    if response.status != 200:
        raise WorkFailed(FailureReason.INVALID_INPUT, f"{url[:300]} answered {response.status} {response.reason}")
    if response.getheader("Content-Encoding", "identity") != "identity":
        raise WorkFailed(FailureReason.INVALID_INPUT, f"{url[:300]} answers compressed although it was asked not to")


def _save(response: http.client.HTTPResponse, path: Path, end: float) -> None:
    length, size = response.getheader("Content-Length"), 0
    with path.open("wb") as file:
        while piece := response.read(PIECE_BYTES):
            size += len(piece)
            if size > BYTES_MAX:
                raise WorkFailed(FailureReason.INVALID_INPUT, f"it is larger than {BYTES_MAX} bytes")
            if time.monotonic() > end:
                raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, f"it took longer than {TOTAL_SECONDS:.0f} s")
            file.write(piece)
    if length is not None and length.isdigit() and size != int(length):
        raise WorkFailed(FailureReason.SOURCE_UNAVAILABLE, f"it ended after {size} of {length} bytes")


def _connect(scheme: str, host: str, port: int | None, allow: Sequence[str]) -> http.client.HTTPConnection:
    """A connection to an address that was checked, with the host's own name for TLS."""
    number = port or (443 if scheme == "https" else 80)
    found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    refused = [address for address in addresses if not is_allowed(host, address, allow)]
    if refused:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{host} is at {refused[0]}, a private address: an administrator may allow it in READ_URL_ALLOW",
        )
    opened = socket.create_connection((addresses[0], number), timeout=CONNECT_SECONDS)
    connection: http.client.HTTPConnection
    if scheme == "https":
        opened = ssl.create_default_context().wrap_socket(opened, server_hostname=host)
        connection = http.client.HTTPSConnection(host, number)
    else:
        connection = http.client.HTTPConnection(host, number)
    connection.sock = opened
    return connection


def is_allowed(host: str, address: str, allow: Sequence[str]) -> bool:
    """Whether `host`, which resolves to `address`, may be read: a public address, or one an administrator allows."""
    parsed = _plain(ipaddress.ip_address(address.partition("%")[0]))
    for entry in allow:
        if entry.casefold() == host.casefold():
            return True
        with contextlib.suppress(ValueError):
            if parsed in ipaddress.ip_network(entry, strict=False):
                return True
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where it is only a way to write it."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is None and address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inside or address
    return address
