"""The audit trail. Each action is a row and a log line.

Reads (downloads) and failures (sign-ins) are log lines only.
"""

from typing import Any

from mimir.api.audit import audit_log, requester
from projects.models import AuditEvent, AuditKind


def audit_record(
    kind: AuditKind, *, subject: str = "", project_slug: str = "", actor: Any = None, **detail: Any
) -> None:
    """Record an action of `actor`, or of the user of the present request.

    Runs in the caller's transaction.
    """
    request_user, address = requester()
    user = actor if actor is not None else request_user
    name = user.get_username() if user is not None else ""
    AuditEvent.objects.create(
        kind=kind,
        actor=user,
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
        user_id=user.pk if user is not None else None,
        address=address,
        **detail,
    )
