"""The error every boundary answers with: `{"code", "message", "detail"}` and an HTTP status."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

MESSAGE_CHARS_MAX = 2000
DETAIL_ENTRIES_MAX, DETAIL_KEY_CHARS_MAX, DETAIL_TEXT_CHARS_MAX, DETAIL_DEPTH_MAX = (
    100,
    200,
    1000,
    4,
)


def shortened(text: str, limit: int) -> str:
    """`text`, cut after `limit` characters with an ellipsis: errors quote what users sent."""
    return text if len(text) <= limit else text[:limit] + "…"


def _bounded(value: Any, depth: int) -> Any:
    """A copy of an error's detail without long texts, long keys, long lists and deep nesting."""
    if isinstance(value, str):
        return shortened(value, DETAIL_TEXT_CHARS_MAX)
    if isinstance(value, Mapping):
        kept = {
            shortened(str(key), DETAIL_KEY_CHARS_MAX): _bounded(part, depth - 1)
            for key, part in islice(value.items(), DETAIL_ENTRIES_MAX)
        }
        if len(value) > DETAIL_ENTRIES_MAX:
            kept["…"] = f"and {len(value) - DETAIL_ENTRIES_MAX} more"
        return kept if depth > 0 else "…"
    if isinstance(value, list | tuple):
        return (
            [_bounded(part, depth - 1) for part in islice(value, DETAIL_ENTRIES_MAX)]
            if depth > 0
            else "…"
        )
    return value


class MimirError(Exception):
    """Something a caller has to know, said so that they can act.

    `code` is stable and for programs, `message` is a sentence for people (what happened, what to do), `detail` maps a field's path to
    its own message, or carries facts. `status` is the HTTP status at the boundary.
    """

    status: int = 400
    code: str = "bad_request"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: Mapping[str, Any] | None = None,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.detail: dict[str, Any] = dict(detail or {})
        self.status = status or type(self).status
        self.retry_after_seconds = retry_after_seconds

    def as_dict(self) -> dict[str, Any]:
        """The body of the answer: `{"code", "message", "detail"}`, at most some 100 KB whatever the request held."""
        return {
            "code": self.code,
            "message": shortened(self.message, MESSAGE_CHARS_MAX),
            "detail": _bounded(self.detail, DETAIL_DEPTH_MAX),
        }


class NotAuthenticated(MimirError):
    """Nobody is signed in, or the token is bad or expired. Answered with 401."""

    status, code = 401, "not_authenticated"


class PermissionDenied(MimirError):
    """A member of the project without the role this needs. Answered with 403."""

    status, code = 403, "permission_denied"


class NotFound(MimirError):
    """Not there, or not theirs: both look the same. Answered with 404."""

    status, code = 404, "not_found"


class Conflict(MimirError):
    """The thing is in a state, or has a version, that this request does not fit. Answered with 409."""

    status, code = 409, "conflict"


class Gone(MimirError):
    """The attempt is fenced or its log closed: stop. Answered with 410."""

    status, code = 410, "gone"


class TooLarge(MimirError):
    """Over a limit with a named setting. Answered with 413."""

    status, code = 413, "too_large"


class Invalid(MimirError):
    """The request can be read but not accepted; `detail` maps each field's path to its message. Answered with 400."""

    status, code = 400, "invalid"


class TooMany(MimirError):
    """A limit of rate or number; `retry_after_seconds` becomes Retry-After. Answered with 429."""

    status, code = 429, "too_many"


class StorageAway(MimirError, OSError):
    """The artifact storage does not answer, or not as it should: as a disk that is away. Answered with 503, the same request later works.

    `why` is for administrators: what is wrong and what to mend.
    """

    status, code = 503, "storage_unavailable"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The artifact storage does not answer. Nothing is lost: try again in a moment.",
            retry_after_seconds=5,
        )
        self.why = why

    def __str__(self) -> str:
        return f"{self.message} ({self.why})"
