"""Passwords and the access that depends on them.

A changed password ends sessions and tokens; a deactivated user loses them permanently. A session or
token stores a stamp of the password at its creation, and is invalid once the stamp differs. So code
that changes a password (here, in the admin, in a command) need not notify anything.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction

from mimir.lib.errors import Invalid
from projects.core.audit import audit_record
from projects.models import AccessToken, AuditKind, TokenKind
from projects.users.hashing import hashed

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

_ADMIN_USER_KEY = "_auth_user_id"


@dataclass(frozen=True, slots=True)
class Ended:
    """Numbers of ended sessions and API tokens."""

    sessions: int
    tokens: int


def password_stamp(user: "User") -> str:
    """Return the stamp that a session or token stores: a hash of the stored password hash."""
    return hashlib.sha256(b"mimir password stamp\0" + user.password.encode()).hexdigest()


def password_change(
    *, user: "User", new_password: str, keep: AccessToken, end_tokens: bool, address: str = ""
) -> Ended:
    """Change a user's password; the caller has checked the current one.

    All sessions but `keep` end; with `end_tokens`, all API tokens, too. Raises: Invalid for a weak
    password.
    """
    demand_strong(new_password, user)
    encoded = hashed(address, make_password, new_password)
    before = password_stamp(user)
    with transaction.atomic():
        user.password = encoded
        user.save(update_fields=["password"])
        others = AccessToken.objects.filter(user=user)
        if keep.kind == TokenKind.SESSION:
            others = others.exclude(id=keep.id)
        sessions = _delete(others.filter(kind=TokenKind.SESSION))
        tokens = _delete(others.filter(kind=TokenKind.API)) if end_tokens else 0
        AccessToken.objects.filter(user=user, password_stamp__in=("", before)).update(
            password_stamp=password_stamp(user)
        )
        sessions += admin_sessions_end(user=user)
        audit_record(
            AuditKind.PASSWORD_CHANGED,
            actor=user,
            subject=user.get_username(),
            sessions=sessions,
            tokens=tokens,
        )
        return Ended(sessions, tokens)


def demand_strong(new_password: str, user: "User") -> None:
    """Check a new password against the rules. Raises: Invalid."""
    try:
        validate_password(new_password, user)
    except ValidationError as error:
        raise Invalid(
            f"new_password: {' '.join(error.messages)}",
            detail={"new_password": " ".join(error.messages)},
        ) from error


def password_store(*, user: "User", encoded: str) -> Ended:
    """Store a hashed password that was set with a link; all sessions and tokens end.

    Runs in the caller's transaction.
    """
    user.password = encoded
    user.save(update_fields=["password"])
    tokens = _delete(AccessToken.objects.filter(user=user, kind=TokenKind.API))
    sessions = _delete(AccessToken.objects.filter(user=user)) + admin_sessions_end(user=user)
    audit_record(
        AuditKind.PASSWORD_CHANGED,
        actor=user,
        subject=user.get_username(),
        sessions=sessions,
        tokens=tokens,
        by="link",
    )
    return Ended(sessions, tokens)


def password_rehash(*, user: "User", password: str) -> None:
    """Store the same password with the present hasher.

    Its sessions and tokens stay valid; those of an earlier password stay invalid.
    """
    before = password_stamp(user)
    encoded = hashed("", make_password, password)
    with transaction.atomic():
        user.password = encoded
        user.save(update_fields=["password"])
        AccessToken.objects.filter(user=user, password_stamp=before).update(
            password_stamp=password_stamp(user)
        )


def sessions_end(*, user: "User", keep: AccessToken | None = None) -> int:
    """End all sessions of a user, also in the admin, except `keep`; return their number."""
    others = AccessToken.objects.filter(user=user, kind=TokenKind.SESSION)
    if keep is not None:
        others = others.exclude(id=keep.id)
    with transaction.atomic():
        ended = _delete(others) + admin_sessions_end(user=user)
        audit_record(AuditKind.SESSIONS_ENDED, subject=user.get_username(), sessions=ended)
    return ended


def access_end(*, user: "User") -> Ended:
    """End all sessions and tokens of a user permanently, after deactivation or loss of a site role.

    Calling it twice is harmless.
    """
    with transaction.atomic():
        tokens = _delete(AccessToken.objects.filter(user=user, kind=TokenKind.API))
        sessions = _delete(AccessToken.objects.filter(user=user)) + admin_sessions_end(user=user)
        audit_record(
            AuditKind.ACCESS_ENDED, subject=user.get_username(), sessions=sessions, tokens=tokens
        )
        return Ended(sessions, tokens)


def admin_sessions_end(*, user: "User") -> int:
    """End a user's sessions of the admin.

    Their rows have no user column, so all rows are read; there are few.
    """
    if not (user.is_staff or Session.objects.exists()):
        return 0
    theirs = [
        row.session_key
        for row in Session.objects.iterator()
        if row.get_decoded().get(_ADMIN_USER_KEY) == str(user.pk)
    ]
    return Session.objects.filter(session_key__in=theirs).delete()[0]


def _delete(rows: "QuerySet[AccessToken, AccessToken]") -> int:
    """Delete tokens and the tokens created with them; return the number of the former."""
    found = list(rows.values_list("id", flat=True))
    AccessToken.objects.filter(id__in=found).delete()
    return len(found)
