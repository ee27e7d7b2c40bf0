"""Signed messages on Redis that wake the dispatcher.

A hint names one of two operations. It is signed, with a key derived from WORKER_KEYS, over
operation, arguments, time and a nonce. With write access to Redis but without the key,
nobody can request an operation or replay a hint.
"""

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mimir.lib.hmac_signatures import derived_key, same, signature

PURPOSE = "mimir hint v1"
MAX_AGE_SECONDS = 60.0  # the periodic sweep has found the work by then
CLOCK_SKEW_SECONDS = 30.0  # between two machines of one installation
BYTES_MAX = 1024 * 1024  # of one message; a hint with 256 launches has about 10 KB
REMEMBERED_MAX = 50_000


class Operation(StrEnum):
    """Operations that a hint can request."""

    WAKE = "wake"
    LAUNCH = "launch"


class RejectedHint(Exception):
    """Message that is not a valid hint.

    `reason` is malformed, unknown_operation, bad_signature, expired or repeated.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hint:
    """Verified message."""

    operation: Operation
    arguments: list[Any]


def sealed(
    operation: Operation,
    arguments: Sequence[object],
    *,
    keys: Sequence[str],
    now: float | None = None,
) -> str:
    """Return the message of a hint, signed with the first key."""
    sent_at, nonce, text = (
        repr(time.time() if now is None else now),
        secrets.token_hex(12),
        json.dumps(list(arguments)),
    )
    proof = signature(derived_key(keys[0], PURPOSE), (operation.value, text, sent_at, nonce))
    return json.dumps(
        {
            "operation": operation.value,
            "arguments": text,
            "sent_at": sent_at,
            "nonce": nonce,
            "proof": proof,
        }
    )


class Verifier:
    """Verifies messages against the current keys and rejects replays. Thread-safe.

    Signatures are remembered for MAX_AGE_SECONDS plus the clock skew.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [derived_key(key, PURPOSE) for key in keys]
        self._remembered: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def opened(self, message: object, *, now: float | None = None) -> Hint:
        """Verify `message` and return its hint. Raises: RejectedHint."""
        now = time.time() if now is None else now
        fields = _fields(message)
        proof = fields.pop("proof")
        signed = (fields["operation"], fields["arguments"], fields["sent_at"], fields["nonce"])
        if not any(same(signature(key, signed), proof) for key in self._keys):
            raise RejectedHint("bad_signature")
        age = now - float(fields["sent_at"])  # a number, because it was signed
        if not -CLOCK_SKEW_SECONDS <= age <= MAX_AGE_SECONDS:
            raise RejectedHint("expired")
        if fields["operation"] not in Operation._value2member_map_:
            raise RejectedHint("unknown_operation")
        self._remember(proof, now)
        return Hint(Operation(fields["operation"]), json.loads(fields["arguments"]))

    def _remember(self, proof: str, now: float) -> None:
        with self._lock:
            while self._remembered:
                oldest, until = next(iter(self._remembered.items()))
                if until > now and len(self._remembered) < REMEMBERED_MAX:
                    break
                del self._remembered[oldest]
            if proof in self._remembered:
                raise RejectedHint("repeated")
            self._remembered[proof] = now + MAX_AGE_SECONDS + CLOCK_SKEW_SECONDS


def _fields(message: object) -> dict[str, str]:
    """Return the five text fields of a message. Raises: RejectedHint."""
    if not isinstance(message, str) or len(message) > BYTES_MAX:
        raise RejectedHint("malformed")
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        raise RejectedHint("malformed") from None
    names = {"operation", "arguments", "sent_at", "nonce", "proof"}
    if (
        not isinstance(fields, dict)
        or set(fields) != names
        or not all(isinstance(value, str) for value in fields.values())
    ):
        raise RejectedHint("malformed")
    return fields
