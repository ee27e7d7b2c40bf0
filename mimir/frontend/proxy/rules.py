"""Filter rules of the proxy for paths, headers, cookies and origins. Pure."""

import re
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from urllib.parse import unquote_to_bytes, urlsplit

from mimir.lib.asgi import Header, Scope, header
from mimir.lib.request_signature import HEADER as PROOF
from mimir.lib.request_signature import Client, sign
from mimir.lib.site_address import origin_of

PREFIXES = {b"/api/": "api", b"/ws/": "ws", b"/admin/": "admin"}
ADMIN_COOKIES = "mimir_admin_"

# Hop-by-hop headers, RFC 9110, section 7.6.1. `expect` was answered by our own server.
_HOP_BY_HOP = frozenset(
    (
        b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te "
        b"trailer transfer-encoding upgrade expect"
    ).split()
)
_REWRITTEN = frozenset(
    (PROOF, b"host", b"cookie", b"authorization", b"content-length", b"x-csrftoken")
)
_SERVER_OWN = frozenset((b"date", b"server"))  # our own server adds them
_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_AMBIGUOUS = re.compile(
    rb"//|\\|[\x00-\x1f\x7f]|/\.{1,2}(?:[/;]|$)|%(?:2e|2f|5c|25|00)", re.IGNORECASE
)


class Target(Enum):
    """Destination of a path."""

    PAGES = "pages"
    API = "api"
    SOCKET = "ws"
    ADMIN = "admin"
    NOWHERE = "nowhere"


def target(raw_path: bytes) -> Target:
    """Route a raw path (without query).

    NOWHERE is a path that another server might resolve below a proxied prefix: an encoded slash,
    dot segments, a backslash, a doubled slash, a double escape, or a control character.
    """
    if raw_path == b"/admin":
        return Target.PAGES  # without the slash, as people type it: a page redirects to /admin/
    plain = unquote_to_bytes(raw_path)
    spelled = next((name for prefix, name in PREFIXES.items() if raw_path.startswith(prefix)), None)
    if spelled is None:
        return Target.NOWHERE if _meaning(plain).startswith(tuple(PREFIXES)) else Target.PAGES
    clean = (
        raw_path.isascii()
        and not _ESCAPE.search(raw_path)
        and not _AMBIGUOUS.search(plain)
        and b"%2f" not in raw_path.lower()
    )
    return Target(spelled) if clean else Target.NOWHERE


def _meaning(plain: bytes) -> bytes:
    """Resolve a decoded path as the most lenient server would.

    Decode it again, read `\\\\` as `/`, merge slashes, resolve dot segments.
    """
    parts: list[bytes] = []
    for part in unquote_to_bytes(plain).replace(b"\\", b"/").split(b"/"):
        if part == b"..":
            parts = parts[:-1]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/" + b"/".join(parts) + b"/"


def request_headers(headers: Iterable[Header]) -> list[Header]:
    """Request headers to forward: without hop-by-hop headers and those the proxy sets."""
    kept = list(headers)
    dropped = _HOP_BY_HOP | _REWRITTEN | _named_by_connection(kept)
    return [(name, value) for name, value in kept if name.lower() not in dropped]


def proof_of(scope: Scope, keys: Sequence[str]) -> Header:
    """Return the header that proves that this frontend forwards the request for its client."""
    query = scope.get("query_string", b"")
    target = scope["raw_path"] + (b"?" + query if query else b"")
    client = Client(
        (scope.get("client") or ("", 0))[0],
        scope.get("scheme") in ("https", "wss"),
        header(scope, b"x-forwarded-host"),
    )
    return PROOF, sign(
        client, method=scope.get("method", "GET"), target=target, keys=keys, now=time.time()
    ).encode("ascii")


def response_headers(headers: Iterable[Header], where: Target) -> list[Header]:
    """Response headers for the client.

    Set-Cookie is kept only from the admin, and only for the admin's cookies.
    """
    kept = list(headers)
    dropped = _HOP_BY_HOP | _SERVER_OWN | _named_by_connection(kept)
    return [
        (name.lower(), value)
        for name, value in kept
        if name.lower() not in dropped
        and (name.lower() != b"set-cookie" or (where is Target.ADMIN and _is_admin_cookie(value)))
    ]


def _named_by_connection(headers: Sequence[Header]) -> frozenset[bytes]:
    return frozenset(
        part.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for part in value.split(b",")
    )


def _is_admin_cookie(value: bytes) -> bool:
    return value.lstrip().startswith(ADMIN_COOKIES.encode())


def admin_cookies(cookie_header: str) -> str:
    """Return the admin's part of a Cookie header."""
    return "; ".join(
        part for part in map(str.strip, cookie_header.split(";")) if part.startswith(ADMIN_COOKIES)
    )


def own_origins(public_url: str, hosts: Iterable[str]) -> frozenset[str]:
    """Origins of this site: PUBLIC_URL with each allowed host."""
    parts = urlsplit(public_url)
    port = f":{parts.port}" if parts.port else ""
    return frozenset(origin_of(f"{parts.scheme}://{host}{port}") for host in hosts) - {""}
