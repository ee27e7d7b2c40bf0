"""Users, sessions and tokens."""

from typing import TypedDict


class SessionInfo(TypedDict):
    """Signed-in user."""

    username: str
    is_staff: bool
    expires_at: str | None


class SessionCreated(TypedDict):
    """New session with its token."""

    token: str
    expires_at: str


class Session(TypedDict):
    """Session of the user."""

    id: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    address: str
    client: str
    current: bool


class PasswordChanged(TypedDict):
    """Sessions and tokens ended by a password change."""

    ended_sessions: int
    ended_tokens: int


class PasswordLink(TypedDict):
    """One-time link to set a password."""

    uid: str
    token: str
    path: str
    expires_at: str


class PasswordLinkResult(TypedDict):
    """User of a password link, and whether the password changed."""

    username: str
    changed: bool


class User(TypedDict):
    """User, for administrators."""

    username: str
    email: str
    is_active: bool
    is_superuser: bool
    has_password: bool
    last_sign_in_at: str | None
    created_at: str
    projects: int


class UserCreated(TypedDict):
    """New user with a password link."""

    username: str
    email: str
    is_active: bool
    is_superuser: bool
    has_password: bool
    last_sign_in_at: str | None
    created_at: str
    projects: int
    password_link: PasswordLink


class Token(TypedDict):
    """API token without its secret."""

    id: str
    name: str
    hint: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class TokenCreated(TypedDict):
    """New API token with its secret."""

    id: str
    name: str
    hint: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    token: str
