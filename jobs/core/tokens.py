"""Tokens of a worker and the key of its model cache: HMACs under WORKER_KEYS, never stored.

The first key signs; tokens signed with the second key are still accepted.
"""

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

from jobs.models import Attempt
from mimir.lib.hmac_signatures import same


def launch_token(attempt_id: UUID) -> str:
    """Return the launch token of a worker (JOB_TOKEN). It permits the claim of its attempt only."""
    return _sign(settings.ENV.worker_keys[0], f"launch:{attempt_id}")


def session_token(attempt_id: UUID, claim_id: UUID) -> str:
    """Return the token issued by a claim. It permits the rest of the worker API for that claim."""
    return _sign(settings.ENV.worker_keys[0], f"session:{attempt_id}:{claim_id}")


def cache_key(project_id: UUID) -> str:
    """Return the key, in hex, of a project's models in the workers' caches.

    After a change of WORKER_KEYS, cached models are fetched again.
    """
    return _sign(settings.ENV.worker_keys[0], f"models:{project_id}")


def is_launch_token(attempt_id: UUID, token: str) -> bool:
    """Return whether `token` is this attempt's launch token under a current key."""
    return _matches(f"launch:{attempt_id}", token)


def is_session_token(attempt: Attempt, token: str) -> bool:
    """Return whether `token` belongs to the claim that holds `attempt`."""
    return attempt.claim_id is not None and is_token_of_claim(attempt.id, attempt.claim_id, token)


def is_token_of_claim(attempt_id: UUID, claim_id: UUID, token: str) -> bool:
    """Return whether this claim issued `token`, even if another claim now holds the attempt."""
    return _matches(f"session:{attempt_id}:{claim_id}", token)


def _matches(text: str, token: str) -> bool:
    return any(same(_sign(key, text), token) for key in settings.ENV.worker_keys)


def _sign(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
