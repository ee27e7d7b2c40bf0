"""Signatures (HMAC-SHA256) between processes that share a secret. Standard library only."""

import hashlib
import hmac
from collections.abc import Iterable


def derived_key(secret: str, purpose: str) -> bytes:
    """Return a key for one purpose.

    Its signatures are invalid for other purposes. HKDF-Expand with one block, RFC 5869.
    """
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def signature(key: bytes, parts: Iterable[bytes | str]) -> str:
    """Return the signature of `parts` in hex.

    Each part is prefixed with its length: different lists never have the same input.
    """
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def same(expected: str | bytes, given: str | bytes) -> bool:
    """Compare two secrets in constant time.

    Unlike `hmac.compare_digest`, it accepts text outside ASCII, which never matches.
    """
    return hmac.compare_digest(_bytes(expected), _bytes(given))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
