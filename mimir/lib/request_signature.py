"""Signature with which the frontend authenticates its requests to the orchestrator.

The frontend sends one header, `X-Mimir-Frontend: v1.<time>.<facts>.<hash>`. The facts are the
client's address, scheme and host. The hash (HMAC-SHA256 under FRONTEND_KEYS) covers them, the time,
the method and the request's target. A signature is valid for a minute. Headers of other processes,
including X-Forwarded-*, are ignored. Both roles use this module, so they agree about what is
signed.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from mimir.lib.asgi import Scope, header
from mimir.lib.hmac_signatures import derived_key, same, signature

HEADER = b"x-mimir-frontend"
HEADER_NAME = "X-Mimir-Frontend"
WINDOW_SECONDS = 60.0  # allowed clock difference, and validity of a signature
_PURPOSE = "mimir frontend v1"
_CHARACTERS_MAX = 2048
_HOST_CHARACTERS_MAX = 255


class BadRequestSignature(Exception):
    """The header is present and invalid. The message says why, for log and user."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a request, as the frontend saw it. `address`: "" if unknown."""

    address: str
    secure: bool
    host: str


def sign(client: Client, *, method: str, target: bytes, keys: Sequence[str], now: float) -> str:
    """Return the header's value for one request.

    `target`: the path as sent, with `?` and the query if there is one.
    """
    facts = [client.address, client.secure, client.host[:_HOST_CHARACTERS_MAX]]
    payload = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
    at = str(int(now))
    return f"v1.{at}.{payload}.{_hash(keys[0], at, payload, method, target)}"


def verified_client(scope: Scope, *, keys: Sequence[str], now: float) -> Client | None:
    """Return the client of a signed request; None without a signature.

    Raises: BadRequestSignature.
    """
    given = header(scope, HEADER)
    if not given:
        return None
    parts = given.split(".")
    if len(given) > _CHARACTERS_MAX or len(parts) != 4 or parts[0] != "v1":
        raise BadRequestSignature("the header is malformed")
    _version, at, payload, proved_by = parts
    query = scope.get("query_string", b"")
    target = scope["raw_path"] + (b"?" + query if query else b"")
    method = scope["method"] if scope["type"] == "http" else "GET"
    if not any(same(_hash(key, at, payload, method, target), proved_by) for key in keys):
        raise BadRequestSignature(
            "FRONTEND_KEYS of frontend and orchestrator differ, or the request was modified in "
            "transit"
        )
    if abs(now - int(at)) > WINDOW_SECONDS:
        raise BadRequestSignature(
            f"it is {now - int(at):.0f} seconds old. The clocks of frontend and orchestrator "
            "differ, or the request is a replay"
        )
    return _client(payload)


def _client(payload: str) -> Client:
    """Return the client in a signed payload. Raises: BadRequestSignature."""
    try:
        address, secure, host = json.loads(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
    except (binascii.Error, ValueError) as error:
        raise BadRequestSignature("the header is malformed") from error
    return Client(str(address), bool(secure), str(host))


def _hash(key: str, at: str, payload: str, method: str, target: bytes) -> str:
    return signature(
        derived_key(key, _PURPOSE), (at, payload, method.upper(), target.removesuffix(b"?"))
    )
