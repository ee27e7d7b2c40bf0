"""What one client does at once, counted by its address as `mimir.lib.forwarded` established it."""

import contextlib
from collections.abc import Iterator

from mimir.lib.asgi import Scope
from mimir.lib.errors import TooMany

SIGN_INS_AT_ONCE = 4  # of one client
SIGN_IN_PATH = "/api/v1/session"  # the last slash is optional in a request


class PerClient:
    """A limit on things that one client has at once. `what` is for the error's sentence."""

    def __init__(self, what: str, limit: int) -> None:
        self._what, self._limit = what, limit
        self._counts: dict[str, int] = {}

    @contextlib.contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """Count one for the time of the block. Raises: TooMany."""
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
    """The limit on sign-ins by the API of one client, before a thread or an upstream connection is taken."""

    def __init__(self) -> None:
        super().__init__("sign-ins at once", SIGN_INS_AT_ONCE)

    def of(self, scope: Scope) -> contextlib.AbstractContextManager[None]:
        """For the time of a request: counts it if it is a sign-in. Entering raises: TooMany."""
        is_sign_in = scope["method"] == "POST" and scope["path"].rstrip("/") == SIGN_IN_PATH
        return self.taken(client_of(scope)) if is_sign_in else contextlib.nullcontext()


def client_of(scope: Scope) -> str:
    """The client's address; an IPv6 client counts by its /64, which one machine owns whole."""
    address = str((scope.get("client") or ("", 0))[0])
    if ":" not in address:
        return address
    groups = address.partition("%")[0].split("::")[0].split(":")
    return ":".join(groups[:4])
