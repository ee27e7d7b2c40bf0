"""The audit trail: each act as a row and as a line of the log. What only reads (downloads) and what failed (sign-ins) is a line alone."""

from typing import Any

import structlog

from mimir.api.middleware import current_request
from projects.models import AuditEvent, AuditKind

log = structlog.get_logger("audit")


def audit_record(kind: AuditKind, *, subject: str = "", project_slug: str = "", actor: Any = None, **detail: Any) -> None:
    """Record an act of whoever makes the present request, or of `actor`. Takes part in the caller's transaction."""
    who, address = _who()
    who = actor if actor is not None else who
    name = who.get_username() if who is not None else ""
    AuditEvent.objects.create(
        kind=kind, actor=who, actor_name=name, address=address, project_slug=project_slug[:63], subject=subject[:300], detail=detail
    )
    audit_log(kind.value, subject=subject, project=project_slug, user=name, user_id=who.pk if who is not None else None, address=address, **detail)


def audit_log(kind: str, **facts: Any) -> None:
    """Write the line of an act."""
    if "address" not in facts:
        who, facts["address"] = _who()
        facts.setdefault("user", who.get_username() if who is not None else "")
        facts.setdefault("user_id", who.pk if who is not None else None)
    log.info("audit", act=kind, **facts)


def _who() -> tuple[Any, str]:
    """The user of the present request, None for nobody, and the client's address."""
    request = current_request.get()
    if request is None:
        return None, ""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None, str(request.META.get("REMOTE_ADDR") or "")[:45]
