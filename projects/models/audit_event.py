"""The audit trail of access: actor, action, subject."""

from django.conf import settings
from django.db import models
from django.db.models import F

from mimir.lib.ids import uuid7


class AuditKind(models.TextChoices):
    SIGNED_IN = "signed_in", "Signed in"
    SIGNED_OUT = "signed_out", "Signed out"
    SESSIONS_ENDED = "sessions_ended", "Sessions ended"
    PASSWORD_CHANGED = "password_changed", "Password changed"  # noqa: S105 - a kind of event
    ACCESS_ENDED = "access_ended", "Access ended"
    TOKEN_CREATED = "token_created", "Token created"  # noqa: S105
    TOKEN_DELETED = "token_deleted", "Token deleted"  # noqa: S105
    MEMBER_ADDED = "member_added", "Member added"
    MEMBER_CHANGED = "member_changed", "Member changed"
    MEMBER_REMOVED = "member_removed", "Member removed"
    USER_CREATED = "user_created", "User created"
    USER_CHANGED = "user_changed", "User changed"
    PASSWORD_LINK_CREATED = "password_link_created", "Password link created"  # noqa: S105 - a kind of event


class AuditEvent(models.Model):
    """One action. Names are stored beside keys: the trail outlives users and projects."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=32, choices=AuditKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    address = models.CharField(max_length=45)  # of the client; empty for a command
    project_slug = models.CharField(max_length=63)
    # The name of the user, token or other object of the action.
    subject = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = (F("id").desc(),)
        indexes = (models.Index(fields=("at",), name="audit_at"),)  # for the sweep of old events

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.kind} {self.subject}"
