"""Administration of users, and one-time links to set a password.

A link is Django's password reset token: signed over the stored password, the e-mail address, the
last sign-in and the number of deactivations. No table stores it, and it becomes invalid when one of
these changes. An administrator cannot set another user's password.
"""

import datetime as dt
from dataclasses import dataclass
from hashlib import sha256
from typing import TypedDict

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, PermissionDenied
from projects.core.audit import audit_record
from projects.models import AuditKind, Deactivation
from projects.users.hashing import hashed
from projects.users.passwords import Ended, demand_strong, password_store
from projects.users.read import no_user

ONLY_ADMINISTRATORS = "Users are managed by site administrators."


class _Links(PasswordResetTokenGenerator):
    """Generator of tokens that a deactivation of the user invalidates permanently."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        count = Deactivation.objects.filter(user_id=user.pk).values_list("count", flat=True).first()
        value = super()._make_hash_value(user, timestamp)
        return value if count is None else f"{value} deactivated {count}"


_tokens = _Links()


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """The parts of a one-time link. It is never stored; only its recipient may read it."""

    uid: str
    token: str
    expires_at: dt.datetime

    @property
    def path(self) -> str:
        """The page on which the password is set."""
        return f"/password/{self.uid}/{self.token}/"


def user_etag(user: User) -> str:
    """Return an ETag that changes with the fields that `user_change` changes."""
    state = f"{user.pk} {user.is_active} {user.is_superuser} {user.email}"
    return f'"{sha256(state.encode()).hexdigest()[:16]}"'


class UserChanges(TypedDict, total=False):
    """Fields of a user to change."""

    is_active: bool
    is_superuser: bool
    email: str


def user_create(*, username: str, email: str = "", is_superuser: bool = False) -> User:
    """Create a user without a password. `password_link_create` returns a link to set one.

    Raises: Invalid for an invalid name, Conflict for an existing one in any case.
    """
    name = User.normalize_username(username)
    try:
        User._meta.get_field("username").run_validators(name)
    except ValidationError as error:
        raise Invalid(
            f"username: {' '.join(error.messages)}", detail={"username": " ".join(error.messages)}
        ) from error
    if name in (".", ".."):
        fault = "must contain a letter or a digit"
        raise Invalid(f"username: {fault}.", detail={"username": fault})
    exists = Conflict(
        f"The user {name} already exists. Choose another name.",
        code="user_exists",
        detail={"username": "already exists"},
    )
    if User.objects.filter(username__iexact=name).exists():
        raise exists
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                name, email, None, is_superuser=is_superuser, is_staff=is_superuser
            )
            audit_record(AuditKind.USER_CREATED, subject=name, is_superuser=is_superuser)
    except IntegrityError as error:  # a concurrent request created it
        raise exists from error
    return user


def user_change(
    *, username: str, changes: UserChanges, actor: User, etags: Preconditions | None = None
) -> User:
    """Change `is_active`, `is_superuser` or `email`.

    Removing access ends sessions and tokens immediately (`projects.users.signals`). The rows of all
    administrators are locked in one order, so that two administrators cannot remove each other at
    the same time.

    Raises: NotFound, Conflict for the last administrator and for your own account,
    PermissionDenied, PreconditionFailed.
    """
    with transaction.atomic():
        concerned = Q(username=username) | Q(is_superuser=True) | Q(pk=actor.pk)
        rows = list(User.objects.select_for_update().filter(concerned).order_by("pk"))
        user = next((row for row in rows if row.username == username), None)
        if user is None:
            raise no_user(username)
        if not any(row.pk == actor.pk and _is_administrator(row) for row in rows):
            raise PermissionDenied(ONLY_ADMINISTRATORS)
        check_etag(user_etag(user), etags)
        before = {
            name: getattr(user, name)
            for name, value in changes.items()
            if getattr(user, name) != value
        }
        if not before:
            return user
        _change(
            user,
            changes,
            is_self=user.pk == actor.pk,
            others=[row for row in rows if row.pk != user.pk],
        )
        fields = [*before, "is_staff"] if "is_superuser" in before else list(before)
        user.save(update_fields=fields)
        audit_record(
            AuditKind.USER_CHANGED,
            subject=username,
            before=before,
            after={name: value for name, value in changes.items() if name in before},
        )
    return user


def _change(user: User, changes: UserChanges, *, is_self: bool, others: list[User]) -> None:
    """Apply `changes` to the row in memory. Raises: Conflict."""
    was_administrator = _is_administrator(user)
    is_superuser = changes.get("is_superuser", user.is_superuser)
    if is_superuser != user.is_superuser:
        user.is_staff = is_superuser  # Django admin opens for administrators only
    for name, value in changes.items():
        setattr(user, name, value)
    if is_self and not user.is_active:
        raise Conflict(
            "You cannot deactivate your own account. Another administrator can.", code="own_account"
        )
    if (
        was_administrator
        and not _is_administrator(user)
        and not any(_is_administrator(row) for row in others)
    ):
        message = (
            f"{user.username} is the last active administrator."
            " Make another user an administrator first."
        )
        raise Conflict(message, code="last_administrator")


def _is_administrator(user: User) -> bool:
    return user.is_active and user.is_superuser


def password_link_create(*, user: User) -> PasswordLink:
    """Create a one-time link to set a password.

    Password and sessions stay valid until it is used. Raises: Conflict for a deactivated user.
    """
    if not user.is_active:
        raise Conflict(
            f"{user.username} is deactivated and cannot sign in. Activate the user first.",
            code="user_inactive",
        )
    expires_at = utc_now() + dt.timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    audit_record(AuditKind.PASSWORD_LINK_CREATED, subject=user.username)
    return PasswordLink(
        urlsafe_base64_encode(force_bytes(user.pk)), _tokens.make_token(user), expires_at
    )


def password_links_end(*, user: User) -> None:
    """Invalidate the open links of a deactivated user permanently."""
    Deactivation.objects.get_or_create(user=user, defaults={"count": 0})
    Deactivation.objects.filter(user=user).update(count=F("count") + 1)


def password_link_check(*, uid: str, token: str) -> User:
    """Return the user of a valid link. Raises: Invalid, with the same sentence for every reason."""
    try:
        key = urlsafe_base64_decode(uid).decode("ascii")
    except ValueError:
        key = ""
    user = User.objects.filter(pk=int(key)).first() if key.isdigit() and len(key) < 10 else None
    if user is None or not _opens(user, token):
        raise _dead_link()
    return user


def password_link_use(*, uid: str, token: str, new_password: str, address: str = "") -> Ended:
    """Set the password with a link. The link and all sessions and tokens of the user end.

    The second of two requests with one link is refused. Raises: Invalid for an invalid link or a
    weak password, TooMany.
    """
    user = password_link_check(uid=uid, token=token)
    demand_strong(new_password, user)
    encoded = hashed(address, make_password, new_password)
    with transaction.atomic():
        locked = User.objects.select_for_update().filter(pk=user.pk).first()
        if locked is None or not _opens(locked, token):
            raise _dead_link()
        return password_store(user=locked, encoded=encoded)


def _opens(user: User, token: str) -> bool:
    return user.is_active and _tokens.check_token(user, token)


def _dead_link() -> Invalid:
    return Invalid(
        "This link is not valid: it was used, has expired or is incomplete."
        " Ask an administrator for a new one.",
        code="link_invalid",
    )
