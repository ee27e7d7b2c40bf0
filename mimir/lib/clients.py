"""Limits of concurrent use by one client, by the address from `mimir.lib.forwarded`."""

import contextlib
import ipaddress
from collections.abc import Iterator

from mimir.lib.asgi import Scope
from mimir.lib.errors import TooMany

SIGN_INS_AT_ONCE = 4  # for one client
SIGN_IN_PATH = "/api/v1/session"  # the last slash is optional in a request


class PerClient:
    """A limit of concurrent uses by one client. `what`: for the error message."""

    def __init__(self, what: str, limit: int) -> None:
        self._what, self._limit = what, limit
        self._counts: dict[str, int] = {}

    @contextlib.contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """Count one use during the block. Raises: TooMany."""
        if self._counts.get(client, 0) >= self._limit:
            raise TooMany(
                f"{self._limit} {self._what} from one address is the limit. Try again in a moment.",
                retry_after_seconds=1,
            )
        self._counts[client] = self._counts.get(client, 0) + 1
        try:
            yield
        finally:
            left = self._counts[client] - 1
            if left:
                self._counts[client] = left
            else:
                del self._counts[client]


class SignIns(PerClient):
    """The limit of concurrent sign-ins by one client.

    It is checked before the request uses a thread or a connection.
    """

    def __init__(self) -> None:
        super().__init__("sign-ins at once", SIGN_INS_AT_ONCE)

    def of(self, scope: Scope) -> contextlib.AbstractContextManager[None]:
        """Count the request during the block, if it is a sign-in. Raises on entry: TooMany."""
        is_sign_in = scope["method"] == "POST" and scope["path"].rstrip("/") == SIGN_IN_PATH
        return self.taken(client_of(scope)) if is_sign_in else contextlib.nullcontext()


def client_of(scope: Scope) -> str:
    """Return the client's address; for IPv6 its /64 prefix, which one machine can own."""
    address = str((scope.get("client") or ("", 0))[0])
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # empty: a request over a Unix socket
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
