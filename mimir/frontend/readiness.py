"""Readiness check of the orchestrator.

The check is not required: without the orchestrator the frontend still serves pages that report the
outage.
"""

import httpx
from django.conf import settings

from mimir.health import Check, register_check

ANSWER_SECONDS = 1.0  # a probe has a short timeout of its own


def register() -> None:
    """Register the check. Called once at start."""
    register_check(Check(name="orchestrator", needed=False, problem=orchestrator_problem))


def orchestrator_problem() -> str:
    """Return why the orchestrator does not answer; empty if it does."""
    url = f"{settings.ENV.api_url}/health"
    try:
        # Loading CA certificates takes about 0.2 s; skip it for plain HTTP.
        answer = httpx.get(
            url, timeout=ANSWER_SECONDS, trust_env=False, verify=url.startswith("https:")
        )
    except httpx.HTTPError as error:
        return (
            f"The orchestrator does not answer ({type(error).__name__}). Check API_URL and that "
            "it runs."
        )
    return (
        "" if answer.is_success else f"The orchestrator answers /health with {answer.status_code}."
    )
