"""Comparison of a request with the earlier request of the same Idempotency-Key. Pure.

A job stores a digest of its request. Version 2 is `v2:` and a hash of a canonical form without
empty fields: a field that a later release adds is empty in older requests and changes no digest.
Version 1, stored by release 0.1.0, is a hex digest of the fields as they were sent.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

_V2 = "v2:"


def request_digest(request: Mapping[str, object]) -> str:
    """Return the digest to store with a new job."""
    fields = {name: value for name, value in request.items() if not _is_empty(value)}
    digest = hashlib.sha256(_json(fields)).digest()
    return _V2 + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_same_request(stored_digest: str, request: Mapping[str, object]) -> bool:
    """Return whether a job's stored digest, of either version, is the digest of `request`."""
    version_2 = stored_digest.startswith(_V2)
    expected = request_digest(request) if version_2 else _digest_v1(request)
    return hmac.compare_digest(stored_digest, expected)


def _digest_v1(request: Mapping[str, object]) -> str:
    fields = {
        name: value for name, value in request.items() if value or name not in ("cluster", "region")
    }
    return hashlib.sha256(_json(fields)).hexdigest()


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value == {}


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, default=str).encode()
