"""Queries of a user's sessions and API tokens."""

from typing import TYPE_CHECKING
from uuid import UUID

from mimir.lib.errors import NotFound
from projects.models import AccessToken, TokenKind

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def session_list(*, user: "User") -> "QuerySet[AccessToken, AccessToken]":
    """Return the user's sessions, without those of the Django admin. The caller orders them."""
    return AccessToken.objects.filter(user=user, kind=TokenKind.SESSION)


def token_list(*, user: "User") -> "QuerySet[AccessToken, AccessToken]":
    """Return the user's API tokens. The caller orders them."""
    return AccessToken.objects.filter(user=user, kind=TokenKind.API)


def token_get(*, user: "User", token_id: UUID) -> AccessToken:
    """Return one of the user's API tokens. Raises: NotFound."""
    found = token_list(user=user).filter(id=token_id).first()
    if found is None:
        raise NotFound("You have no such token.")
    return found
