"""Bearer tokens of sessions and of programs.

A token is shown once; only its SHA-256 is stored.
"""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from mimir.api.authentication import Identity
from mimir.api.etags import Preconditions, check_etag
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, NotFound, TooMany
from projects.core.audit import audit_record
from projects.models import AccessToken, AuditKind, TokenKind
from projects.tokens.read import token_get
from projects.users.passwords import access_end, password_stamp

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Accuracy of `last_used_at`: a write at each request would cost more than it is worth.
USED_EVERY = dt.timedelta(minutes=1)
TOKENS_MAX = 200  # API tokens of one user


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and its secret, which cannot be read again."""

    row: AccessToken
    token: str


def session_create(*, user: "User", address: str = "", client: str = "") -> NewToken:
    """Create a session token that expires after `SESSION_HOURS`.

    `address` and `client` (User-Agent) identify the session in its user's list.
    """
    expires_at = utc_now() + dt.timedelta(hours=settings.ENV.session_hours)
    return _create(
        user=user,
        kind=TokenKind.SESSION,
        expires_at=expires_at,
        address=address[:45],
        client=client.replace("\x00", "")[:200],
    )


def token_create(
    *, user: "User", name: str, expires_at: dt.datetime | None, parent: AccessToken | None = None
) -> NewToken:
    """Create an API token.

    A token created with another API token expires and ends with that one. Raises: Invalid, TooMany.
    """
    if not name.strip():
        raise Invalid(
            "name: must not be empty. Name the token after its use.",
            detail={"name": "must not be empty"},
        )
    if parent is not None and parent.kind == TokenKind.API and parent.expires_at is not None:
        if expires_at is not None and expires_at > parent.expires_at:
            rule = "must not be later than the expiry of the token that creates it"
            raise Invalid(f"expires_at: {rule}.", detail={"expires_at": rule})
        expires_at = expires_at or parent.expires_at
    if expires_at is not None and expires_at <= utc_now():
        raise Invalid(
            "expires_at: must be in the future.", detail={"expires_at": "must be in the future"}
        )
    if AccessToken.objects.filter(user=user, kind=TokenKind.API).count() >= TOKENS_MAX:
        raise TooMany(f"You have {TOKENS_MAX} tokens, the maximum. Delete unused ones first.")
    if parent is not None and parent.kind != TokenKind.API:
        parent = None
    with transaction.atomic():
        created = _create(
            user=user, kind=TokenKind.API, name=name.strip(), expires_at=expires_at, parent=parent
        )
        audit_record(
            AuditKind.TOKEN_CREATED,
            actor=user,
            subject=created.row.name,
            id=str(created.row.id),
            hint=created.row.hint,
        )
    return created


def _create(
    *, user: "User", kind: TokenKind, expires_at: dt.datetime | None, **fields: Any
) -> NewToken:
    token = f"mimir_{kind.value}_{secrets.token_urlsafe(32)}"
    row = AccessToken.objects.create(
        user=user,
        kind=kind,
        digest=_digest(token),
        hint=token[-4:],
        expires_at=expires_at,
        password_stamp=password_stamp(user),
        **fields,
    )
    return NewToken(row=row, token=token)


def _digest(token: str) -> str:
    """Return the SHA-256 of a token.

    The time of a look-up by digest reveals nothing about the token.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def token_identify(token: str) -> Identity | None:
    """Return the identity of a valid token, else None.

    A token is invalid if it is unknown, expired, older than the password, or of a deactivated user.
    The last two kinds are deleted, so that nothing can revive them. Records the use once a minute.
    """
    now = utc_now()
    valid = Q(expires_at=None) | Q(expires_at__gt=now)
    row = AccessToken.objects.filter(valid, digest=_digest(token)).select_related("user").first()
    if row is None:
        return None
    if not row.user.is_active:
        access_end(user=row.user)
        return None
    stamp = password_stamp(row.user)
    if not row.password_stamp:
        AccessToken.objects.filter(id=row.id, password_stamp="").update(password_stamp=stamp)
    elif row.password_stamp != stamp:
        AccessToken.objects.filter(id=row.id, password_stamp=row.password_stamp).delete()
        return None
    outdated = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    if row.last_used_at is None or row.last_used_at <= now - USED_EVERY:
        AccessToken.objects.filter(outdated, id=row.id).update(last_used_at=now)
    return Identity(user=row.user, token=row)


def session_delete(*, session: AccessToken) -> None:
    """End a session. Calling it twice is harmless.

    Raises: Conflict for an API token, which would stay valid.
    """
    if session.kind != TokenKind.SESSION:
        raise Conflict(
            "This is an API token, not a session. Delete it with DELETE /api/v1/tokens/<id>/.",
            code="not_a_session",
        )
    with transaction.atomic():
        AccessToken.objects.filter(id=session.id, kind=TokenKind.SESSION).delete()
        audit_record(AuditKind.SIGNED_OUT, actor=session.user, subject=session.user.get_username())


def session_end(*, user: "User", session_id: UUID) -> None:
    """End one of the user's sessions. Raises: NotFound."""
    with transaction.atomic():
        deleted, _ = AccessToken.objects.filter(
            id=session_id, user=user, kind=TokenKind.SESSION
        ).delete()
        if not deleted:
            raise NotFound("You have no such session.")
        audit_record(
            AuditKind.SESSIONS_ENDED,
            actor=user,
            subject=user.get_username(),
            sessions=1,
            id=str(session_id),
        )


def token_etag(token: AccessToken) -> str:
    """Return the ETag of a token. A token never changes, so it is constant."""
    return f'"{token.id}"'


def token_delete(*, user: "User", token_id: UUID, etags: Preconditions | None = None) -> None:
    """Delete one of the user's API tokens. Raises: NotFound, PreconditionFailed."""
    with transaction.atomic():
        found = token_get(user=user, token_id=token_id)
        check_etag(token_etag(found), etags)
        AccessToken.objects.filter(id=found.id).delete()
        audit_record(
            AuditKind.TOKEN_DELETED,
            actor=user,
            subject=found.name,
            id=str(token_id),
            hint=found.hint,
        )
