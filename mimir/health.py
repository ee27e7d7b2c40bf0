"""`/health` and `/ready` of both roles.

They are answered before host and TLS checks, because a kubelet sends the pod's address as Host.
`/health`: the process responds. `/ready`: its checks pass; failed ones are named. Each app
registers its own checks.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `needed`: a failure means not ready (503), else degraded but ready."""

    name: str
    needed: bool
    problem: Callable[[], str]  # the problem, or an empty text


_checks: list[Check] = []


def register_check(check: Check) -> None:
    """Register a check, in place of one with the same name. Apps call this at start."""
    _checks[:] = [*(known for known in _checks if known.name != check.name), check]


class HealthMiddleware:
    """Middleware that answers `/health` and `/ready`. It must be the first one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in ("/health", "/health/"):
            return JsonResponse({"status": "ok"})
        if request.path in ("/ready", "/ready/"):
            return readiness()
        return self._get_response(request)


def readiness() -> JsonResponse:
    """Return {"status": "ready" | "degraded" | "not_ready", "checks": {name: "ok" or problem}}."""
    found = {check.name: check.problem() for check in _checks}
    missing = [check.name for check in _checks if check.needed and found[check.name]]
    degraded = any(found.values())
    status = "not_ready" if missing else "degraded" if degraded else "ready"
    body = {"status": status, "checks": {name: problem or "ok" for name, problem in found.items()}}
    return JsonResponse(body, status=503 if missing else 200)
