"""`MimirError`: an error with status, code, message and detail, for every boundary."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypedDict

MESSAGE_CHARS_MAX = 2000
DETAIL_ENTRIES_MAX, DETAIL_KEY_CHARS_MAX, DETAIL_TEXT_CHARS_MAX, DETAIL_DEPTH_MAX = (
    100,
    200,
    1000,
    4,
)
# Message of a 404 that names nothing more specific, in the API and on pages.
NOT_FOUND = (
    "Not found, or you have no access. Check the address or ask a maintainer of the project."
)


def shortened(text: str, limit: int) -> str:
    """Return `text`, cut after `limit` characters with an ellipsis: errors quote user input."""
    return text if len(text) <= limit else text[:limit] + "…"


def _bounded(value: object, depth: int) -> Any:
    """Return a copy of an error's detail without long texts, keys, lists and deep nesting."""
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


class ErrorBody(TypedDict):
    """Body of an error response."""

    code: str
    message: str
    detail: dict[str, object]


class MimirError(Exception):
    """An error that tells the caller what to do.

    `code`: stable, for programs. `message`: for users: the problem and the next action. `detail`:
    messages by field path, or facts. `status`: the HTTP status. `retry_after_seconds`: value of
    the header Retry-After; None: no header.
    """

    status: int = 400
    code: str = "bad_request"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: Mapping[str, object] | None = None,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.detail: dict[str, Any] = dict(detail or {})
        self.status = status or type(self).status
        self.retry_after_seconds = retry_after_seconds

    def as_dict(self) -> ErrorBody:
        """Return the response body `{"code", "message", "detail"}`, at most about 100 KB."""
        return {
            "code": self.code,
            "message": shortened(self.message, MESSAGE_CHARS_MAX),
            "detail": _bounded(self.detail, DETAIL_DEPTH_MAX),
        }


class NotAuthenticated(MimirError):
    """Not signed in, or an invalid or expired token. Status 401."""

    status, code = 401, "not_authenticated"


class PermissionDenied(MimirError):
    """The role in the project is not sufficient. Status 403."""

    status, code = 403, "permission_denied"


class NotFound(MimirError):
    """The object does not exist, or the user has no access: the same response. Status 404."""

    status, code = 404, "not_found"

    def __init__(
        self, message: str = NOT_FOUND, *, detail: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, detail=detail)


class Conflict(MimirError):
    """The state or version of the resource does not allow the request. Status 409."""

    status, code = 409, "conflict"


class Gone(MimirError):
    """The attempt is fenced or its log is closed: the worker must stop. Status 410."""

    status, code = 410, "gone"


class TooLarge(MimirError):
    """The request is larger than a limit. Status 413."""

    status, code = 413, "too_large"


class Invalid(MimirError):
    """The request is invalid; `detail` has a message for each field path. Status 400."""

    status, code = 400, "invalid"


class TooMany(MimirError):
    """A limit of rate or concurrency is reached. Status 429."""

    status, code = 429, "too_many"


class StorageAway(MimirError, OSError):
    """The artifact storage is unavailable. Status 503; the same request works later.

    `why`: the cause and the fix, for administrators.
    """

    status, code = 503, "storage_unavailable"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The artifact storage does not answer. No data is lost. Try again in a moment.",
            retry_after_seconds=5,
        )
        self.why = why

    def __str__(self) -> str:
        return f"{self.message} ({self.why})"
