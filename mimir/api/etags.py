"""ETags and the conditions on them (RFC 9110, sections 8.8.3 and 13): nobody overwrites what they have not seen.

The ETag of an editable resource is `"<version>~<hash>"`. The version changes with each edit, and `If-Match` compares only it. The hash is
of the answer's bytes, which may change without an edit (a cluster's health, your own role); `If-None-Match` of a GET compares both.
"""

import hashlib
import re
from dataclasses import dataclass

from rest_framework.request import Request

from mimir.lib.errors import MimirError

_TAG = re.compile(r'\s*((?:W/)?"[^"]*"|[^,]*)\s*(?:,|$)')
_HASH_MARK = "~"
ANY = "*"


class PreconditionFailed(MimirError):
    """The resource was changed since the client read it, or exists already. Answered with 412."""

    status, code = 412, "precondition_failed"


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditions of an edit: each a set of ETags or `{"*"}`, None when the header was not sent."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None


def preconditions(request: Request) -> Preconditions:
    """`If-Match` and `If-None-Match` of an edit."""
    return Preconditions(listed_etags(request, "If-Match"), listed_etags(request, "If-None-Match"))


def check_etag(current: str | None, wanted: Preconditions | None) -> None:
    """Compare an edit's conditions with the resource's present version; `current` is None when it does not exist.

    To be called while the row is locked. Raises: PreconditionFailed.
    """
    if wanted is None:
        return
    if wanted.match is not None and not _is_among(current, wanted.match):
        message = "This was changed since you read it. Read it again, then repeat your change."
        if current is None:
            message = "If-Match: this does not exist, or not any more."
        raise PreconditionFailed(message, detail={"etag": current})
    if wanted.none_match is not None and _is_among(current, wanted.none_match):
        message = (
            "If-None-Match: this exists already."
            if ANY in wanted.none_match
            else "If-None-Match: it is in this state."
        )
        raise PreconditionFailed(message, detail={"etag": current})


def _is_among(current: str | None, tags: frozenset[str]) -> bool:
    """A `W/` is taken off: proxies that compress weaken our tags, whose version they keep."""
    return current is not None and (
        ANY in tags or _version(current) in {_version(tag) for tag in tags}
    )


def _version(tag: str) -> str:
    return tag.removeprefix("W/").strip('"').partition(_HASH_MARK)[0]


def with_content_hash(etag: str, content: bytes) -> str:
    """The ETag of an answer: the resource's version, and a hash of the bytes that are sent."""
    return f'{etag[:-1]}{_HASH_MARK}{hashlib.sha256(content).hexdigest()[:16]}"'


def listed_etags(request: Request, header: str) -> frozenset[str] | None:
    """The ETags of a header, `{"*"}` for any, None when it was not sent."""
    value = request.headers.get(header)
    if value is None:
        return None
    return frozenset(tag.strip() for tag in _TAG.findall(value) if tag.strip())


def strong_match(etag: str, tags: frozenset[str]) -> bool:
    """RFC 9110's strong comparison."""
    return ANY in tags or etag in tags


def weak_match(etag: str, tags: frozenset[str]) -> bool:
    """RFC 9110's weak comparison."""
    return ANY in tags or etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
