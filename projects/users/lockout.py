"""Lockout after wrong passwords: counters, limits and error responses.

django-axes counts for a user name from one address (AXES_FAILURE_LIMIT). From the same rows, this
module counts for an address with any name (one password tried on many users) and for a name from
any address (one user attacked from many machines).
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
    """Return the error for a sign-in during a lockout."""
    return TooMany(
        "Too many wrong passwords. Try again in 15 minutes.",
        code="locked",
        retry_after_seconds=LOCKED_SECONDS,
    )


def locked_out(
    request: HttpRequest, original_response: Any = None, credentials: Any = None
) -> HttpResponse:
    """Return the response to the wrong password that starts a lockout.

    django-axes calls it as AXES_LOCKOUT_CALLABLE.
    """
    return refused(request, locked())


def refused(request: HttpRequest, error: TooMany) -> HttpResponse:
    """Return the answer to a refused sign-in: JSON for the API, text for the form of the admin."""
    if request.path.startswith("/api/"):
        return error_response(error)
    return HttpResponse(
        error.message,
        status=error.status,
        content_type="text/plain; charset=utf-8",
        headers=error_headers(error),
    )


def client_network(request: HttpRequest) -> str | None:
    """Return the client's address; for IPv6 its /64, which belongs to one client.

    django-axes calls it as AXES_CLIENT_IP_CALLABLE. It is the address of the connection, or the one
    that the frontend proved. Headers that any client can write are ignored.
    """
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def demand_attempts_left(request: HttpRequest, username: str) -> None:
    """Check that the address and the user name have attempts left. Raises: TooMany."""
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
