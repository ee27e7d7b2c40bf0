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
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    kind = models.CharField(max_length=16, choices=TokenKind)
    name = models.CharField(max_length=200, blank=True, default="")
    digest = models.CharField(max_length=64, unique=True)  # hex SHA-256 of the token; found by it at each request
    hint = models.CharField(max_length=8)  # its last characters, to tell tokens apart in a list
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = (F("created_at").desc(),)
        indexes = (models.Index(fields=("expires_at",), name="token_expiry"),)  # for the sweep of expired tokens

    def __str__(self) -> str:
        return f"{self.kind} token …{self.hint} of {self.user}"
