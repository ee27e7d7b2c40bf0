"""Keyed hashes (HMAC-SHA256) between processes that share a secret. Standard library alone."""

import hashlib
import hmac
from collections.abc import Iterable


def derived_key(secret: str, purpose: str) -> bytes:
    """A key for one purpose, so that a hash made for one purpose never passes for another (HKDF-Expand with one block, RFC 5869)."""
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def signature(key: bytes, parts: Iterable[bytes | str]) -> str:
    """The hash of `parts` in hex. Each part goes in with its length: two lists that differ never have the same input."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def same(expected: str | bytes, given: str | bytes) -> bool:
    """Compare two secrets in constant time. Unlike `hmac.compare_digest` it takes text outside ASCII: that never matches, but never raises."""
    return hmac.compare_digest(_bytes(expected), _bytes(given))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
