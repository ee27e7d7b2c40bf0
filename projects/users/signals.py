"""Receivers of Django's signals about users. They only call services."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import post_save, pre_save

from mimir.api.audit import audit_log
from projects.core.audit import audit_record
from projects.models import AuditKind
from projects.users.passwords import access_end
from projects.users.write import password_links_end

_RIGHTS = ("is_active", "is_staff", "is_superuser")
_LOST = "_mimir_lost_rights"


def register() -> None:
    """Connect the receivers, once at start."""
    user = get_user_model()
    pre_save.connect(_before_save, sender=user, dispatch_uid="projects.before_user_save")
    post_save.connect(_after_save, sender=user, dispatch_uid="projects.after_user_save")
    user_logged_in.connect(_signed_in, dispatch_uid="projects.signed_in")
    user_login_failed.connect(_not_signed_in, dispatch_uid="projects.not_signed_in")


def _before_save(sender: Any, instance: Any, update_fields: Any = None, **_: Any) -> None:
    """Record a deactivation, or the loss of a site role, on the instance."""
    setattr(instance, _LOST, ())
    if instance.pk is None or (update_fields is not None and not set(_RIGHTS) & set(update_fields)):
        return
    before = sender.objects.filter(pk=instance.pk).values(*_RIGHTS).first()
    setattr(
        instance,
        _LOST,
        tuple(
            right
            for right in _RIGHTS
            if before is not None and before[right] and not getattr(instance, right)
        ),
    )


def _after_save(instance: Any, **_: Any) -> None:
    lost = getattr(instance, _LOST, ())
    if "is_active" in lost:
        password_links_end(user=instance)
    if lost:
        access_end(user=instance)


def _signed_in(user: Any, request: Any, **_: Any) -> None:
    where = "admin" if request is not None and request.path.startswith("/admin/") else "api"
    audit_record(AuditKind.SIGNED_IN, actor=user, subject=user.get_username(), where=where)


def _not_signed_in(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    address = str(request.META.get("REMOTE_ADDR") or "") if request is not None else ""
    audit_log("sign_in_failed", subject=str(credentials.get("username", ""))[:150], address=address)
