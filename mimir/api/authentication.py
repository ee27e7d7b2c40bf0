"""Authentication by `Authorization: Bearer <token>`. An app registers the token lookup."""

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
    """A user and a token row, for `request.user` and `request.auth`."""

    user: "User"
    token: Any


TokenLookup = Callable[[str], Identity | None]
_lookup: TokenLookup | None = None


def register_token_lookup(lookup: TokenLookup) -> None:
    """Register the function that looks up tokens. Called once at start."""
    global _lookup
    _lookup = lookup


def identify(token: str) -> Identity:
    """Return the identity of a token.

    Raises: NotAuthenticated for an unknown or expired token, or an inactive user.
    """
    found = _lookup(token) if _lookup and 0 < len(token) <= TOKEN_CHARACTERS_MAX else None
    if found is None:
        raise NotAuthenticated("The token is unknown or has expired. Sign in again.")
    return found


class BearerAuthentication(BaseAuthentication):
    """Sets `request.user` and `request.auth`; else 401 with `WWW-Authenticate`. Ignores cookies."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        kind, _, token = header.partition(b" ")
        if kind.lower() != b"bearer" or not token.isascii():
            raise NotAuthenticated("The Authorization header must be: Bearer <token>.")
        identity = identify(token.strip().decode("ascii"))
        return identity.user, identity.token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="mimir"'
