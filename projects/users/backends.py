"""Authentication by user name and password, for the API and for the admin."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password, verify_password
from django.http import HttpRequest

from projects.users.hashing import hashed
from projects.users.lockout import client_network, demand_attempts_left
from projects.users.passwords import password_rehash

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class PasswordBackend(ModelBackend):
    """Django's backend with the hash computed in the pool of `projects.users.hashing`.

    Unknown and deactivated users take the same time as others.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> "User | None":
        """Return the user, or None.

        Raises: TooMany after too many failures of an address or a name, and during too many
        concurrent sign-ins.
        """
        if username is None or password is None:
            return None
        if request is not None:
            demand_attempts_left(request, username)
        user = get_user_model().objects.filter(username=username).first()
        address = client_network(request) or "" if request is not None else ""
        is_right, is_outdated = hashed(
            address, _verified, password, user.password if user else None
        )
        if user is None or not is_right or not self.user_can_authenticate(user):
            return None
        if is_outdated:
            password_rehash(user=user, password=password)
        return user


def _verified(password: str, encoded: str | None) -> tuple[bool, bool]:
    """Return whether the password is correct, and whether its hash is outdated.

    Exactly one hash is computed in all cases, so that the duration reveals nothing about the user.
    """
    if encoded is None:
        make_password(password)
        return False, False
    return verify_password(password, encoded)
