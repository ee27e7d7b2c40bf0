"""Access to the orchestrator's port. The outermost ASGI application.

Requests that the frontend signed (`mimir.lib.request_signature`), and requests from DIRECT_SOURCES,
get everything. Other clients (workers, programs, a port-forward) get `/worker/v1/`, `/health`,
`/ready`, WebSockets and `/api/` with a Bearer token: no sign-in by password, no password link, no
admin, no documentation. `/metrics` needs METRICS_TOKEN or an address in METRICS_SOURCES. The body
of a refused request is not read.
"""

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mimir.lib.asgi import Application, Receive, Scope, Send, header, send_json_error
from mimir.lib.errors import MimirError, NotAuthenticated, PermissionDenied
from mimir.lib.forwarded import Network, is_named, peer_of, settled
from mimir.lib.hmac_signatures import same
from mimir.lib.request_signature import BadRequestSignature, Client, verified_client

_log = structlog.get_logger(__name__)
_LOG_EVERY_SECONDS = 10.0
_OPEN = ("/health", "/health/", "/ready", "/ready/")
_PASSWORD_PATHS = ("/api/v1/session", "/api/v1/password-link")  # POST takes a password and no token


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that decide about access. `frontend_keys`: one key, or two during a rotation."""

    frontend_keys: tuple[str, ...]
    direct_sources: tuple[Network, ...] = ()
    metrics_token: str = ""
    metrics_sources: tuple[Network, ...] = ()
    public_url: str = ""


def rules(
    *,
    frontend_keys: Sequence[str],
    direct_sources: Sequence[str],
    metrics_token: str,
    metrics_sources: Sequence[str],
    public_url: str,
) -> Rules:
    """Return the rules for these settings."""
    networks = [
        tuple(ipaddress.ip_network(part, strict=False) for part in parts)
        for parts in (direct_sources, metrics_sources)
    ]
    return Rules(tuple(frontend_keys), networks[0], metrics_token, networks[1], public_url)


class PortAccess:
    """ASGI middleware.

    Finds client address, scheme and host, then passes or refuses the request.
    """

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application = application
        self._rules = rules
        self._logged_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        peer, secure = peer_of(scope, receive)
        problem = ""
        try:
            client = verified_client(scope, keys=self._rules.frontend_keys, now=time.time())
        except BadRequestSignature as error:
            client, problem = None, str(error)
            self._log_bad_proof(peer, problem)
        if scope["type"] == "http":
            refused = refusal(
                scope, self._rules, peer=peer, is_proved=client is not None, problem=problem
            )
            if refused is not None:
                await send_json_error(send, refused)
                return
        origin = client or Client(peer, secure, header(scope, b"host"))
        await self._application(
            settled(scope, peer, origin.address, origin.secure, origin.host), receive, send
        )

    def _log_bad_proof(self, peer: str, problem: str) -> None:
        if time.monotonic() - self._logged_at > _LOG_EVERY_SECONDS or not self._logged_at:
            self._logged_at = time.monotonic()
            _log.warning("a signature of the frontend was rejected", peer=peer, problem=problem)


def refusal(
    scope: Scope, rules: Rules, *, peer: str, is_proved: bool, problem: str = ""
) -> MimirError | None:
    """Return the error for a request, or None to let it pass.

    `is_proved`: the frontend has signed it. `problem`: why a signature was rejected.
    """
    path = scope["path"]
    if path in _OPEN or path.startswith("/worker/v1/"):
        return None
    if path == "/metrics" or path.startswith("/metrics/"):
        return (
            None
            if _may_scrape(scope, rules, peer)
            else PermissionDenied(_METRICS, code="scrape_refused")
        )
    if is_proved or is_named(peer, rules.direct_sources):
        return None
    if (
        path.startswith("/api/")
        and not path.startswith(("/api/docs", "/api/schema"))
        and not _signs_in(scope)
    ):
        if _bearer(scope):
            return None
        return NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")
    if path.startswith("/api/schema") and _bearer(scope):
        return None
    return PermissionDenied(_direct(rules, problem), code="direct_refused")


_METRICS = (
    "/metrics needs Authorization: Bearer <token> with the token of the setting METRICS_TOKEN, "
    "or an address in the setting METRICS_SOURCES."
)


def _direct(rules: Rules, problem: str) -> str:
    where = f" ({rules.public_url})" if rules.public_url else ""
    text = (
        f"The orchestrator serves this only through the frontend{where}. Open it there, or use "
        "the API with an API token "
        "(Authorization: Bearer <token>). On a laptop, add your address to the setting "
        "DIRECT_SOURCES."
    )
    return f"{text} The frontend's signature was rejected: {problem}." if problem else text


def _signs_in(scope: Scope) -> bool:
    return bool(scope["path"].rstrip("/") in _PASSWORD_PATHS and scope["method"] == "POST")


def _bearer(scope: Scope) -> str:
    kind, _, token = header(scope, b"authorization").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _may_scrape(scope: Scope, rules: Rules, peer: str) -> bool:
    if rules.metrics_token and same(rules.metrics_token, _bearer(scope)):
        return True
    return is_named(peer, rules.metrics_sources)
