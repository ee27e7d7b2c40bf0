"""Tokens that open the API."""

from django.conf import settings
from django.db import models
from django.db.models import F

from mimir.lib.ids import uuid7


class TokenKind(models.TextChoices):
    SESSION = "session", "Session"
    API = "api", "API token"


class AccessToken(models.Model):
    """A bearer token of a user: of a sign-in, or made for a program. Only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens"
    )
    kind = models.CharField(max_length=16, choices=TokenKind)
    name = models.CharField(max_length=200, blank=True, default="")
    digest = models.CharField(
        max_length=64, unique=True
    )  # hex SHA-256 of the token; found by it at each request
    hint = models.CharField(max_length=8)  # its last characters, to tell tokens apart in a list
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    # The API token it was made with: it ends with that one.
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    # Of the password it was made under (`projects.users.passwords`); empty: made by an earlier release, stamped at its next use.
    password_stamp = models.CharField(max_length=64, db_default="", default="")
    # Of a session, where it was begun: what its user tells it by.
    address = models.CharField(max_length=45, db_default="", default="")
    client = models.CharField(max_length=200, db_default="", default="")  # User-Agent

    class Meta:
        ordering = (F("created_at").desc(),)
        indexes = (
            models.Index(fields=("expires_at",), name="token_expiry"),
        )  # for the sweep of expired tokens

    def __str__(self) -> str:
        return f"{self.kind} token …{self.hint} of {self.user}"


class Deactivation(models.Model):
    """How many times a user was deactivated. Password links that were made before the last time are not valid."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="deactivation",
    )
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.user}: {self.count}"
