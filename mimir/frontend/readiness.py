"""What `/ready` says of the frontend: an orchestrator that is away degrades it, but its pages still say so and what to do."""

import httpx
from django.conf import settings

from mimir.health import Check, register_check

ANSWER_SECONDS = 1.0  # a probe gives up early


def register() -> None:
    """Called once at start."""
    register_check(Check(name="orchestrator", needed=False, problem=orchestrator_problem))


def orchestrator_problem() -> str:
    """A sentence, empty when the orchestrator answers."""
    url = f"{settings.ENV.api_url}/health"
    try:
        # Certificates take a fifth of a second to load: not where none will be looked at.
        answer = httpx.get(
            url, timeout=ANSWER_SECONDS, trust_env=False, verify=url.startswith("https:")
        )
    except httpx.HTTPError as error:
        return f"The orchestrator does not answer ({type(error).__name__}). Check API_URL and that it runs."
    return (
        "" if answer.is_success else f"The orchestrator answers /health with {answer.status_code}."
    )
