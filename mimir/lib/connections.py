"""uvicorn's HTTP connection with time limits and a limit of connections per address.

uvicorn has neither. A connection is closed when a header takes too long, when the client does not
read a response, and when it keeps sending a body after the response. Limits of bodies are in
`mimir.lib.bodies`.
"""

import asyncio
import contextvars
import ipaddress
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from mimir.lib.heap_trim import trim_soon

HEADER_SECONDS = (
    20.0  # from the start of the connection or of the next request to the end of its header
)
UNREAD_SECONDS = 120.0  # for a client that does not read its response
# after a response, to read the rest of the body: otherwise the client cannot read the response
DISCARD_SECONDS = 10.0
CLOSING_SECONDS = 30.0  # to send the rest when a connection ends
_BURST = 100  # open connections, after which freed memory is returned to the system
_FILES_MAX = 65536
_FILES_KEPT = (
    0.8  # share of the file descriptors; the rest is for database, storage and orchestrator
)


@dataclass
class ConnectionTable:
    """Open connections by address. trusted: proxies, to which `per_client` does not apply."""

    per_client: int
    total: int
    trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    open: int = 0
    most: int = 0  # maximum of `open` since memory was returned

    def admit(self, address: str) -> bool:
        """Count a new connection; False above the limit."""
        if self.open >= self.total or (
            self.counts.get(address, 0) >= self.per_client and not self._is_trusted(address)
        ):
            return False
        self.open += 1
        self.most = max(self.most, self.open)
        self.counts[address] = self.counts.get(address, 0) + 1
        return True

    def release(self, address: str) -> None:
        """Count the end of an admitted connection."""
        self.open -= 1
        self.counts[address] -= 1
        if not self.counts[address]:
            del self.counts[address]
        if self.most >= _BURST and self.open < self.most / 4:
            self.most = self.open
            trim_soon()

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return not address  # a Unix socket has no address
        return any(parsed in network for network in self.trusted)


def connection_class(per_client: int, trusted: Sequence[str]) -> "type[Connection]":
    """Return the protocol class for uvicorn's `http`, with its own table."""
    networks = tuple(ipaddress.ip_network(part, strict=False) for part in trusted)
    table = ConnectionTable(per_client, int(_raise_file_limit() * _FILES_KEPT), networks)
    return type("LimitedConnection", (Connection,), {"table": table})


def _raise_file_limit() -> int:
    """Raise this process's limit of open files to its maximum and return it.

    Shells often start with 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _FILES_MAX if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Socket(WebSocketsSansIOProtocol):
    """One WebSocket that reports the loss of its connection."""

    on_lost: Callable[[], None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss to the table."""
        callback, self.on_lost = self.on_lost, None
        if callback is not None:
            callback()
        super().connection_lost(exc)


class _Transport:
    """A transport that closes in two steps while the client sends a body.

    If it closed at once, the client could not read the response.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        unread: Callable[[], bool],
        on_linger: Callable[[], None],
    ) -> None:
        self._transport, self._unread, self._on_linger = transport, unread, on_linger
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection; only its sending side while the client still sends a body."""
        if self.lingers or self._transport.is_closing():
            return
        if self._unread() and self._transport.can_write_eof():
            self.lingers = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._on_linger()
        else:
            self._transport.close()

    def close_now(self) -> None:
        """Close, even if the client still sends."""
        self._transport.close()


class Connection(H11Protocol):
    """One HTTP/1.1 connection with deadlines."""

    table: ConnectionTable

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admitted: str | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and wait for a header; above the limit, close it."""
        self._lingering = _Transport(transport, self._sends_a_body, self._linger)  # type: ignore[arg-type]
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        address = self.client[0] if self.client else ""
        if not self.table.admit(address):
            self.logger.warning("Too many connections of %s: closed.", address)
            self.transport.abort()
            return
        self._admitted = address
        self._start("header", HEADER_SECONDS, self._close_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers and count the end of the connection."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle received data. An incomplete header has a deadline."""
        if self._lingering.lingers:
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._start("header", HEADER_SECONDS, self._close_slow)
        else:
            self._stop("header")
        if self.transport.is_closing():
            self._start("closing", CLOSING_SECONDS, self.transport.abort)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the WebSocket protocol. It stays counted.

        As with requests (`reset_contextvars`), the WebSocket gets no context variables of earlier
        requests.
        """
        address, self._admitted = self._admitted, None
        self._forget()
        contextvars.Context().run(super().handle_websocket_upgrade, event)
        socket = self.transport.get_protocol()
        if address is None:
            return
        if isinstance(socket, Socket):
            socket.on_lost = lambda: self.table.release(address)
        else:  # refused in the handshake: this object still gets the end
            self._admitted = address

    def on_response_complete(self) -> None:
        """Limit the time to read the rest of a body, and to send when closing."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start("closing", CLOSING_SECONDS, self.transport.abort)
        elif self.conn.their_state is h11.SEND_BODY:
            self._unset_keepalive_if_required()
            self._start("discard", DISCARD_SECONDS, self._close_slow)
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._start(
                "header", HEADER_SECONDS, self._close_slow
            )  # part of the next header arrived with this request

    def handle_events(self) -> None:
        """Handle received events; at the end of a discarded body, stop its deadline."""
        super().handle_events()
        if self.conn.their_state is not h11.SEND_BODY:
            self._stop("discard")

    def timeout_keep_alive_handler(self) -> None:
        """Close the idle connection."""
        super().timeout_keep_alive_handler()
        self._start("closing", CLOSING_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        """Start the deadline of a client that reads too slowly."""
        super().pause_writing()
        self._start("unread", UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the deadline: the client has caught up."""
        self._stop("unread")
        super().resume_writing()

    def _sends_a_body(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY

    def _linger(self) -> None:
        self._start("discard", DISCARD_SECONDS, self._lingering.abort)

    def _close_slow(self) -> None:
        self._stop("header")
        self._lingering.close_now()
        self._start("closing", CLOSING_SECONDS, self.transport.abort)

    def _start(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, action)

    def _stop(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()

    def _forget(self) -> None:
        for name in list(self._timers):
            self._stop(name)
        if self._admitted is not None:
            self.table.release(self._admitted)
            self._admitted = None
