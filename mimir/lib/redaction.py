"""Redaction of secrets in logs: values with secret names, tokens, one-time links, URL passwords."""

import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

HIDDEN = "[hidden]"
_NAME = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|worker_keys", re.IGNORECASE
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_BEARER_LENGTH = len("bearer 12345678")  # shorter texts are not tokens
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(@)")
_SHORTEST = len("a://:b@")  # shorter texts contain no secret
_LINK = re.compile(r"(/password/)[^\s/]+/[^\s/?]+")  # the page of a one-time link


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Return whether a value of this name is a secret."""
    return _NAME.search(name) is not None


def redact_text(text: str) -> str:
    """Return `text` without bearer tokens, one-time links and passwords in URLs."""
    if len(text) < _SHORTEST:
        return text
    if len(text) >= _BEARER_LENGTH and "bearer" in text.lower():
        text = _BEARER.sub(rf"\1{HIDDEN}", text)
    if "/password/" in text:
        text = _LINK.sub(rf"\1{HIDDEN}", text)
    return _URL_PASSWORD.sub(rf"\1{HIDDEN}\2", text) if "://" in text else text


def redact(value: object) -> Any:
    """Return the value without secrets, also in nested dicts and lists. Keys stay."""
    if isinstance(value, MutableMapping):
        return {
            key: HIDDEN
            if isinstance(part, str) and part and is_secret_name(str(key))
            else redact(part)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(part) for part in value]
    return redact_text(value) if isinstance(value, str) else value
