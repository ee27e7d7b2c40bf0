"""The audit trail: each act as a row and as a line of the log. What only reads (downloads) and what failed (sign-ins) is a line alone."""

from typing import Any

from mimir.api.audit import audit_log, requester
from projects.models import AuditEvent, AuditKind


def audit_record(
    kind: AuditKind, *, subject: str = "", project_slug: str = "", actor: Any = None, **detail: Any
) -> None:
    """Record an act of whoever makes the present request, or of `actor`. Takes part in the caller's transaction."""
    requesting, address = requester()
    who = actor if actor is not None else requesting
    name = who.get_username() if who is not None else ""
    AuditEvent.objects.create(
        kind=kind,
        actor=who,
        actor_name=name,
        address=address,
        project_slug=project_slug[:63],
        subject=subject[:300],
        detail=detail,
    )
    audit_log(
        kind.value,
        subject=subject,
        project=project_slug,
        user=name,
        user_id=who.pk if who is not None else None,
        address=address,
        **detail,
    )
