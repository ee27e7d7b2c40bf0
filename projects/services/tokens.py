"""Bearer tokens: of a sign-in, or made for a program. The token itself is given out once; only its SHA-256 is kept."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from mimir.api.authentication import Identity
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, NotFound, TooMany
from projects.models import AccessToken, TokenKind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

USED_EVERY = dt.timedelta(minutes=1)  # `last_used_at` is this exact: a write at each request would cost more than it tells
TOKENS_MAX = 200  # API tokens of one user


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and the token, which nobody can read again."""

    row: AccessToken
    token: str


def session_create(*, user: "User") -> NewToken:
    """A session token that expires after `SESSION_HOURS`."""
    return _create(user=user, kind=TokenKind.SESSION, name="", expires_at=utc_now() + dt.timedelta(hours=settings.ENV.session_hours))


def token_create(*, user: "User", name: str, expires_at: dt.datetime | None, made_with: AccessToken | None = None) -> NewToken:
    """An API token. One made with another API token does not outlive that one. Raises: Invalid, TooMany."""
    if not name.strip():
        raise Invalid("name: a token needs a name, to know it again by.", detail={"name": "may not be empty"})
    if made_with is not None and made_with.kind == TokenKind.API and made_with.expires_at is not None:
        if expires_at is not None and expires_at > made_with.expires_at:
            rule = "may not be later than that of the token this is made with"
            raise Invalid(f"expires_at: {rule}.", detail={"expires_at": rule})
        expires_at = expires_at or made_with.expires_at
    if expires_at is not None and expires_at <= utc_now():
        raise Invalid("expires_at: has to be in the future.", detail={"expires_at": "has to be in the future"})
    if AccessToken.objects.filter(user=user, kind=TokenKind.API).count() >= TOKENS_MAX:
        raise TooMany(f"You have {TOKENS_MAX} tokens. Delete some that you no longer use.")
    return _create(user=user, kind=TokenKind.API, name=name.strip(), expires_at=expires_at)


def _create(*, user: "User", kind: TokenKind, name: str, expires_at: dt.datetime | None) -> NewToken:
    token = f"mimir_{kind.value}_{secrets.token_urlsafe(32)}"
    row = AccessToken.objects.create(
        user=user, kind=kind, name=name, digest=_digest(token), hint=token[-4:], expires_at=expires_at
    )
    return NewToken(row=row, token=token)


def _digest(token: str) -> str:
    """Looked up by digest, so that the time of a look-up says nothing about the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_identify(token: str) -> Identity | None:
    """Whose token it is; None for one that is unknown, expired, or of a user who may not sign in. Notes its use, once a minute."""
    now = utc_now()
    row = (
        AccessToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), digest=_digest(token), user__is_active=True)
        .select_related("user")
        .first()
    )
    if row is None:
        return None
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    if row.last_used_at is None or row.last_used_at <= now - USED_EVERY:
        AccessToken.objects.filter(unnoted, id=row.id).update(last_used_at=now)
    return Identity(user=row.user, token=row)


def session_delete(*, session: AccessToken) -> None:
    """End a sign-in; harmless the second time. Raises: Conflict for a token that is no sign-in: it would go on opening."""
    if session.kind != TokenKind.SESSION:
        raise Conflict("This is an API token, not a sign-in: DELETE /api/v1/tokens/<id>/ takes it back.", code="not_a_session")
    AccessToken.objects.filter(id=session.id, kind=TokenKind.SESSION).delete()


def token_delete(*, user: "User", token_id: UUID) -> None:
    """Take back one of the user's API tokens. Raises: NotFound."""
    deleted, _ = AccessToken.objects.filter(id=token_id, user=user, kind=TokenKind.API).delete()
    if not deleted:
        raise NotFound("You have no such token.")
