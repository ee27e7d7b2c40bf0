"""The worker's two tokens and its key of cached models: HMACs under WORKER_KEYS, none of them stored.

The first key signs, the second is still accepted for tokens.
"""

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

from jobs.models import Attempt
from mimir.lib.proofs import same


def launch_token(attempt_id: UUID) -> str:
    """The token a worker is born with (JOB_TOKEN): it opens `claim` of its own attempt."""
    return _sign(settings.ENV.worker_keys[0], f"launch:{attempt_id}")


def session_token(attempt_id: UUID, claim_id: UUID) -> str:
    """The token a claim gives: it opens the rest of the worker API for that claim of that attempt."""
    return _sign(settings.ENV.worker_keys[0], f"session:{attempt_id}:{claim_id}")


def cache_key(project_id: UUID) -> str:
    """The key of a project's models in the workers' caches, in hex. Other WORKER_KEYS: what is cached is fetched again."""
    return _sign(settings.ENV.worker_keys[0], f"models:{project_id}")


def is_launch_token(attempt_id: UUID, token: str) -> bool:
    """Whether `token` is this attempt's launch token under a present key."""
    return _matches(f"launch:{attempt_id}", token)


def is_session_token(attempt: Attempt, token: str) -> bool:
    """Whether `token` belongs to the claim that holds `attempt`."""
    return attempt.claim_id is not None and _matches(
        f"session:{attempt.id}:{attempt.claim_id}", token
    )


def _matches(text: str, token: str) -> bool:
    return any(same(_sign(key, text), token) for key in settings.ENV.worker_keys)


def _sign(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
