"""`/health` and `/ready`, for both roles, answered before host and TLS checks: a kubelet sends the pod's address as Host.

`/health`: this process answers. `/ready`: it can work; what is missing is named. What has to be asked is registered by the role's rooms.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a role needs. `needed`: without it not ready (503); otherwise degraded, which is still ready."""

    name: str
    needed: bool
    problem: Callable[[], str]  # a sentence, empty when all is well


_checks: list[Check] = []


def register_check(check: Check) -> None:
    """Called at start by the room that knows how to ask."""
    _checks[:] = [*(known for known in _checks if known.name != check.name), check]


class HealthMiddleware:
    """First in the list."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in ("/health", "/health/"):
            return JsonResponse({"status": "ok"})
        if request.path in ("/ready", "/ready/"):
            return readiness()
        return self._get_response(request)


def readiness() -> JsonResponse:
    """{"status": "ready" | "degraded" | "not_ready", "checks": {name: "ok" or what is wrong}}."""
    found = {check.name: check.problem() for check in _checks}
    missing = [check.name for check in _checks if check.needed and found[check.name]]
    degraded = any(found.values())
    status = "not_ready" if missing else "degraded" if degraded else "ready"
    body = {"status": status, "checks": {name: problem or "ok" for name, problem in found.items()}}
    return JsonResponse(body, status=503 if missing else 200)
