"""Too many wrong passwords: what is counted, for whom the sign-in is locked, and what is answered while that lasts.

django-axes counts for a user name from one address (AXES_FAILURE_LIMIT). From the same rows this module counts for an address whatever the
names (one password tried on many users) and for a name whatever the addresses (one user tried from many machines).
"""

import datetime as dt
import ipaddress
from typing import Any

from axes.models import AccessAttempt
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse

from mimir.api.errors import error_headers, error_response
from mimir.lib.clock import utc_now
from mimir.lib.errors import TooMany

LOCKED_SECONDS = 15 * 60
ADDRESS_FAILURES_MAX = 40
NAME_FAILURES_MAX = 100


def locked() -> TooMany:
    """The error while a sign-in is locked."""
    return TooMany(
        "Too many wrong passwords. Wait a quarter of an hour.",
        code="locked",
        retry_after_seconds=LOCKED_SECONDS,
    )


def locked_out(
    request: HttpRequest, original_response: Any = None, credentials: Any = None
) -> HttpResponse:
    """django-axes' AXES_LOCKOUT_CALLABLE: replaces the answer to the wrong password that was one too many."""
    return refused(request, locked())


def refused(request: HttpRequest, error: TooMany) -> HttpResponse:
    """The answer for a sign-in that is not tried: JSON for the API, text for the admin's form."""
    if request.path.startswith("/api/"):
        return error_response(error)
    return HttpResponse(
        error.message,
        status=error.status,
        content_type="text/plain; charset=utf-8",
        headers=error_headers(error),
    )


def client_network(request: HttpRequest) -> str | None:
    """django-axes' AXES_CLIENT_IP_CALLABLE: the client's address, of IPv6 its /64, as one client has all of that.

    The address is the connection's or the one that the frontend proved; headers that anybody can write are not looked at.
    """
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def demand_attempts_left(request: HttpRequest, username: str) -> None:
    """Let a sign-in be tried. Raises: TooMany, when its address or its user name has had too many wrong passwords."""
    recent = AccessAttempt.objects.filter(
        attempt_time__gt=utc_now() - dt.timedelta(seconds=LOCKED_SECONDS)
    )
    network = client_network(request)
    counted = (
        recent.aggregate(
            address=Sum("failures_since_start", filter=Q(ip_address=network)),
            name=Sum("failures_since_start", filter=Q(username=username)),
        )
        if network
        else {
            "address": 0,
            **recent.aggregate(name=Sum("failures_since_start", filter=Q(username=username))),
        }
    )
    if (counted["address"] or 0) >= ADDRESS_FAILURES_MAX or (
        counted["name"] or 0
    ) >= NAME_FAILURES_MAX:
        raise locked()
