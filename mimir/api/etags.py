"""ETags and preconditions, against lost updates (RFC 9110, sections 8.8.3 and 13).

The ETag of an editable resource is `"<version>~<hash>"`. The version changes with each edit, and
`If-Match` compares only the version. The hash covers the response, which can change without an edit
(the health of a cluster, the user's role); `If-None-Match` of a GET compares both.
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
    """The resource was changed after the client read it, or exists already. Status 412."""

    status, code = 412, "precondition_failed"


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Conditions of an edit: sets of ETags or `{"*"}`; None for a missing header."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None


def preconditions(request: Request) -> Preconditions:
    """Return `If-Match` and `If-None-Match` of an edit."""
    return Preconditions(listed_etags(request, "If-Match"), listed_etags(request, "If-None-Match"))


def check_etag(current: str | None, wanted: Preconditions | None) -> None:
    """Compare the conditions of an edit with the current version (None: does not exist).

    Call it with the row locked. Raises: PreconditionFailed.
    """
    if wanted is None:
        return
    if wanted.match is not None and not _is_among(current, wanted.match):
        message = "It was changed after you read it. Read it again, then repeat your change."
        if current is None:
            message = "If-Match: it does not exist."
        raise PreconditionFailed(message, detail={"etag": current})
    if wanted.none_match is not None and _is_among(current, wanted.none_match):
        message = (
            "If-None-Match: it already exists."
            if ANY in wanted.none_match
            else "If-None-Match: it already has this ETag."
        )
        raise PreconditionFailed(message, detail={"etag": current})


def _is_among(current: str | None, tags: frozenset[str]) -> bool:
    """Whether an ETag is in a set.

    `W/` is ignored: proxies that compress add it, and the version stays valid.
    """
    return current is not None and (
        ANY in tags or _version(current) in {_version(tag) for tag in tags}
    )


def _version(tag: str) -> str:
    return tag.removeprefix("W/").strip('"').partition(_HASH_MARK)[0]


def with_content_hash(etag: str, content: bytes) -> str:
    """Return the ETag of a response: the resource's version and a hash of the body."""
    return f'{etag[:-1]}{_HASH_MARK}{hashlib.sha256(content).hexdigest()[:16]}"'


def listed_etags(request: Request, header: str) -> frozenset[str] | None:
    """Return the ETags in a header; `{"*"}` for any; None for a missing header."""
    value = request.headers.get(header)
    if value is None:
        return None
    return frozenset(tag.strip() for tag in _TAG.findall(value) if tag.strip())


def strong_match(etag: str, tags: frozenset[str]) -> bool:
    """Strong comparison of RFC 9110."""
    return ANY in tags or etag in tags


def weak_match(etag: str, tags: frozenset[str]) -> bool:
    """Weak comparison of RFC 9110."""
    return ANY in tags or etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
