"""Who asks: `Authorization: Bearer <token>`, looked up by a function that the room which keeps tokens registers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from mimir.lib.errors import NotAuthenticated

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TOKEN_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True)
class Identity:
    """A valid token's user, and the token's own row: what `request.user` and `request.auth` are."""

    user: "User"
    token: Any


TokenLookup = Callable[[str], Identity | None]
_lookup: TokenLookup | None = None


def register_token_lookup(lookup: TokenLookup) -> None:
    """Called once at start by the room that keeps tokens."""
    global _lookup
    _lookup = lookup


def identify(token: str) -> Identity:
    """Whose token it is. Raises: NotAuthenticated for one that is unknown, expired, or of a user who may not sign in."""
    found = _lookup(token) if _lookup and 0 < len(token) <= TOKEN_CHARACTERS_MAX else None
    if found is None:
        raise NotAuthenticated("The token is not known or has expired. Sign in again.")
    return found


class BearerAuthentication(BaseAuthentication):
    """Gives `request.user` and `request.auth` (the token's row); answers 401 with `WWW-Authenticate` otherwise. Ignores cookies."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        kind, _, token = header.partition(b" ")
        if kind.lower() != b"bearer" or not token.isascii():
            raise NotAuthenticated("The Authorization header has to be: Bearer <token>.")
        identity = identify(token.strip().decode("ascii"))
        return identity.user, identity.token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="mimir"'
