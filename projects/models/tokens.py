"""Access tokens of the API, and deactivations of users."""

from django.conf import settings
from django.db import models
from django.db.models import F

from mimir.lib.ids import uuid7


class TokenKind(models.TextChoices):
    SESSION = "session", "Session"
    API = "api", "API token"


class AccessToken(models.Model):
    """A bearer token of a session or of a program. Only its SHA-256 is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens"
    )
    kind = models.CharField(max_length=16, choices=TokenKind)
    name = models.CharField(max_length=200, blank=True, default="")
    # Hex SHA-256 of the token. Each request looks it up.
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)  # the last characters, to distinguish tokens in a list
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    # The API token that created it. It ends together with that one.
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    # Stamp of the password at its creation (`projects.users.passwords`). A token of an earlier
    # release has none and gets one at its next use.
    password_stamp = models.CharField(max_length=64, db_default="", default="")
    # Address and client of the sign-in, by which a user identifies a session.
    address = models.CharField(max_length=45, db_default="", default="")
    client = models.CharField(max_length=200, db_default="", default="")  # User-Agent

    class Meta:
        ordering = (F("created_at").desc(),)
        # For the sweep of expired tokens.
        indexes = (models.Index(fields=("expires_at",), name="token_expiry"),)

    def __str__(self) -> str:
        return f"{self.kind} token …{self.hint} of {self.user}"


class Deactivation(models.Model):
    """Number of deactivations of a user. Password links from before the last one are invalid."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="deactivation",
    )
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.user}: {self.count}"
