"""X-Forwarded-* headers: accepted only from trusted proxies, and set anew.

Behind `ForwardedHeaders`, `scope["client"]`, `scope["scheme"]` and the three headers are reliable.
The orchestrator accepts them from nobody: there `mimir.api.port_access` takes the client from the
frontend's signature.
"""

import ipaddress
from collections.abc import Sequence

from mimir.lib.asgi import Application, Header, Receive, Scope, Send, header
from mimir.lib.request_signature import HEADER as PROOF

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SECURE = {"http": False, "https": True, "ws": False, "wss": True}
_DROPPED = frozenset(
    (
        b"forwarded",
        b"x-real-ip",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        PROOF,
    )
)
_HOST_CHARACTERS_MAX = 255


class ForwardedHeaders:
    """ASGI middleware, the outermost one. `trusted`: addresses or CIDR blocks of proxies."""

    def __init__(self, application: Application, *, trusted: Sequence[str]) -> None:
        self._application = application
        self._trusted = tuple(ipaddress.ip_network(part, strict=False) for part in trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = believed(scope, *peer_of(scope, receive), trusted=self._trusted)
        await self._application(scope, receive, send)


def believed(scope: Scope, peer: str, secure: bool, *, trusted: Sequence[Network]) -> Scope:
    """Return `scope` with the client's address, scheme and host.

    They are those of the connection, or those that the headers of a trusted `peer` state.
    """
    address, host = peer, header(scope, b"host")
    if is_named(peer, trusted):
        address = _client_address(header(scope, b"x-forwarded-for"), peer, trusted)
        secure = _SECURE.get(_last(header(scope, b"x-forwarded-proto")).lower(), secure)
        host = _last(header(scope, b"x-forwarded-host"))[:_HOST_CHARACTERS_MAX] or host
    return settled(scope, peer, address, secure, host)


def settled(scope: Scope, peer: str, address: str, secure: bool, host: str) -> Scope:
    """Return `scope` with this client address, scheme and host, whatever its headers say."""
    # Django's META does not distinguish `_` from `-` in names, so a header with `_` would bypass
    # the removal.
    headers: list[Header] = [
        (name, value)
        for name, value in scope["headers"]
        if name.lower() not in _DROPPED and b"_" not in name
    ]
    headers.append((b"x-forwarded-proto", b"https" if secure else b"http"))
    if address:
        headers.append((b"x-forwarded-for", address.encode("latin-1")))
    if host:
        headers.append((b"x-forwarded-host", host.encode("latin-1")))
    plain, over_tls = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
    port = (scope.get("client") or ("", 0))[1] if address == peer else 0
    client = (address, port) if address else None
    return {**scope, "headers": headers, "client": client, "scheme": over_tls if secure else plain}


def peer_of(scope: Scope, receive: Receive) -> tuple[str, bool]:
    """Return the address of the peer ("" for a Unix socket) and whether it uses TLS.

    From the connection if possible, not from the scope: by default, uvicorn accepts any
    X-Forwarded-For over loopback and stores it in `scope["client"]`.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None or not hasattr(transport, "get_extra_info"):
        return (scope.get("client") or ("", 0))[0], scope.get("scheme") in ("https", "wss")
    name = transport.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) and name else ""
    return address, transport.get_extra_info("sslcontext") is not None


def _client_address(chain: str, peer: str, trusted: Sequence[Network]) -> str:
    """Return the last address in the chain that is not a trusted proxy.

    Addresses before it can be forged.
    """
    found = peer
    for part in reversed([part.strip() for part in chain.split(",") if part.strip()]):
        address = _parse(part)
        if address is None:
            return found
        found = str(address)
        if not is_named(found, trusted):
            return found
    return found


def is_named(text: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of `networks`."""
    address = _parse(text)
    return address is not None and any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    """Parse an address as proxies write it: `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]:80`.

    An IPv4-mapped IPv6 address becomes IPv4.
    """
    text = text.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _last(values: str) -> str:
    """Return the value that the nearest proxy added."""
    return values.rpartition(",")[2].strip()
