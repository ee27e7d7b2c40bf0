"""Lines of the audit log. `projects.core.audit` also stores changes of access as rows."""

from typing import Any

import structlog

from mimir.api.middleware import current_request

log = structlog.get_logger("audit")


def requester() -> tuple[Any, str]:
    """Return the user of the current request (None without one) and the client's address."""
    request = current_request.get()
    if request is None:
        return None, ""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None, str(
        request.META.get("REMOTE_ADDR") or ""
    )[:45]


def audit_log(act: str, **facts: Any) -> None:
    """Log an action of the current requester. `facts` can name another user and address."""
    who, address = requester()
    known = {
        "user": who.get_username() if who is not None else "",
        "user_id": who.pk if who is not None else None,
        "address": address,
    }
    log.info("audit", act=act, **{**known, **facts})
