"""Bearer tokens: of a sign-in, or made for a program. The token itself is given out once; only its SHA-256 is kept."""

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
from projects.users.passwords import access_end, password_stamp

if TYPE_CHECKING:
    from django.contrib.auth.models import User

USED_EVERY = dt.timedelta(
    minutes=1
)  # `last_used_at` is this exact: a write at each request would cost more than it tells
TOKENS_MAX = 200  # API tokens of one user


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and the token, which nobody can read again."""

    row: AccessToken
    token: str


def session_create(*, user: "User", address: str = "", client: str = "") -> NewToken:
    """A session token that expires after `SESSION_HOURS`. `address` and `client` (User-Agent) are what its user tells it by."""
    expires_at = utc_now() + dt.timedelta(hours=settings.ENV.session_hours)
    return _create(
        user=user,
        kind=TokenKind.SESSION,
        expires_at=expires_at,
        address=address[:45],
        client=client.replace("\x00", "")[:200],
    )


def token_create(
    *, user: "User", name: str, expires_at: dt.datetime | None, made_with: AccessToken | None = None
) -> NewToken:
    """An API token. One made with another API token does not outlive that one, and ends with it. Raises: Invalid, TooMany."""
    if not name.strip():
        raise Invalid(
            "name: a token needs a name, to know it again by.", detail={"name": "may not be empty"}
        )
    if (
        made_with is not None
        and made_with.kind == TokenKind.API
        and made_with.expires_at is not None
    ):
        if expires_at is not None and expires_at > made_with.expires_at:
            rule = "may not be later than that of the token this is made with"
            raise Invalid(f"expires_at: {rule}.", detail={"expires_at": rule})
        expires_at = expires_at or made_with.expires_at
    if expires_at is not None and expires_at <= utc_now():
        raise Invalid(
            "expires_at: has to be in the future.", detail={"expires_at": "has to be in the future"}
        )
    if AccessToken.objects.filter(user=user, kind=TokenKind.API).count() >= TOKENS_MAX:
        raise TooMany(f"You have {TOKENS_MAX} tokens. Delete some that you no longer use.")
    parent = made_with if made_with is not None and made_with.kind == TokenKind.API else None
    with transaction.atomic():
        made = _create(
            user=user, kind=TokenKind.API, name=name.strip(), expires_at=expires_at, parent=parent
        )
        audit_record(
            AuditKind.TOKEN_CREATED,
            actor=user,
            subject=made.row.name,
            id=str(made.row.id),
            hint=made.row.hint,
        )
    return made


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
    """Looked up by digest, so that the time of a look-up says nothing about the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_identify(token: str) -> Identity | None:
    """Whose token it is; None for one that is unknown, expired, of an earlier password, or of a user who may not sign in.

    Notes its use, once a minute. A token that is found to be over is deleted, so that nothing revives it.
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
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    if row.last_used_at is None or row.last_used_at <= now - USED_EVERY:
        AccessToken.objects.filter(unnoted, id=row.id).update(last_used_at=now)
    return Identity(user=row.user, token=row)


def session_delete(*, session: AccessToken) -> None:
    """End a sign-in; harmless the second time. Raises: Conflict for a token that is no sign-in: it would go on opening."""
    if session.kind != TokenKind.SESSION:
        raise Conflict(
            "This is an API token, not a sign-in: DELETE /api/v1/tokens/<id>/ takes it back.",
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


def token_get(*, user: "User", token_id: UUID) -> AccessToken:
    """One of the user's API tokens. Raises: NotFound."""
    found = AccessToken.objects.filter(id=token_id, user=user, kind=TokenKind.API).first()
    if found is None:
        raise NotFound("You have no such token.")
    return found


def token_etag(token: AccessToken) -> str:
    """A token never changes: it is there, or not any more."""
    return f'"{token.id}"'


def token_delete(*, user: "User", token_id: UUID, etags: Preconditions | None = None) -> None:
    """Take back one of the user's API tokens. Raises: NotFound, PreconditionFailed."""
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
