"""Every error as `{"code", "message", "detail"}`: Mimir's, DRF's, Django's and 404s."""

import math
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from mimir.lib.disks import StorageFull, as_storage_error
from mimir.lib.errors import (
    DETAIL_ENTRIES_MAX,
    DETAIL_TEXT_CHARS_MAX,
    MESSAGE_CHARS_MAX,
    Invalid,
    MimirError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    TooLarge,
    shortened,
)

_log = structlog.get_logger(__name__)
_DATABASE_RETRY_SECONDS = 2
_DISK_FULL, _TOO_MANY_CONNECTIONS = "53100", "53300"  # PostgreSQL error codes, appendix A
_POOL_ERRORS = ("PoolTimeout", "TooManyRequests")  # errors of psycopg_pool
_NAME_CHARS_MAX = 100  # of a field name, which can be a key from the user
_MESSAGES_PER_FIELD = 5

_CODES: Mapping[type[exceptions.APIException], str] = {
    exceptions.ParseError: "bad_request",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "too_many",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF hook. Returns None for an unexpected error: Django logs it; `server_error` responds."""
    known = as_mimir_error(error)
    if known is None:
        return None
    set_rollback()
    response = Response(known.as_dict(), status=known.status)
    for name, value in error_headers(known).items():
        response[name] = value
    if isinstance(error, exceptions.MethodNotAllowed) and (view := context.get("view")):
        response["Allow"] = ", ".join(view.allowed_methods)
    return response


def as_mimir_error(error: Exception) -> MimirError | None:
    """Return the error for the client, or None for an unexpected error."""
    match error:
        case MimirError():
            return error
        case Http404() | exceptions.NotFound():
            return NotFound()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")
        case exceptions.PermissionDenied() | DjangoPermissionDenied():
            return PermissionDenied("You are not allowed to do this.")
        case exceptions.ValidationError():
            detail = flatten(error.detail)
            return Invalid(_summary(detail), detail=detail)
        case exceptions.APIException():
            wait = getattr(error, "wait", None)
            code = _CODES.get(type(error), "bad_request")
            return MimirError(
                str(error.detail), code=code, status=error.status_code, retry_after_seconds=wait
            )
        case UnreadablePostError():
            return MimirError(
                "The connection closed before the request's body was complete.",
                code="body_incomplete",
            )
        case RequestDataTooBig():
            return TooLarge("The request is too large.")
        case SuspiciousOperation():
            return MimirError("The request cannot be read.")
        case OperationalError() | InterfaceError():
            _log.error("database_away", exc_info=error)
            return _database_error(error)
    full = as_storage_error(error)
    if full is not None:
        _log.error("storage_unusable", code=full.code, exc_info=error)
    return full


def _database_error(error: Exception) -> MimirError:
    """Return the error for a database problem: full disk, no free connection, no response."""
    cause = error.__cause__
    if getattr(cause, "sqlstate", None) == _DISK_FULL:
        return StorageFull()
    message = "The database does not answer. Try again."
    if (
        type(cause).__name__ in _POOL_ERRORS
        or getattr(cause, "sqlstate", None) == _TOO_MANY_CONNECTIONS
    ):
        message = "All connections to the database are in use. Try again in a moment."
    return MimirError(
        message, code="unavailable", status=503, retry_after_seconds=_DATABASE_RETRY_SECONDS
    )


def error_headers(error: MimirError) -> dict[str, str]:
    """Return the headers of an error: WWW-Authenticate for 401, Retry-After if known."""
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mimir"'
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return headers


def flatten(detail: Any, path: str = "") -> dict[str, str]:
    """Return DRF's nested messages by field path (`resources.cpu`, `steps[0].id`).

    At most DETAIL_ENTRIES_MAX messages.
    """
    return dict(islice(_messages(detail, path), DETAIL_ENTRIES_MAX))


def _messages(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            if isinstance(key, int):  # index in a list
                yield from _messages(value, f"{path}[{key}]")
                continue
            name = shortened(str(key), _NAME_CHARS_MAX)
            own = name != "non_field_errors"
            yield from _messages(value, f"{path}.{name}" if path and own else name if own else path)
    elif isinstance(detail, list):
        if all(isinstance(part, str) for part in detail):
            if detail:
                yield (
                    path,
                    shortened(
                        " ".join(str(part) for part in detail[:_MESSAGES_PER_FIELD]),
                        DETAIL_TEXT_CHARS_MAX,
                    ),
                )
            return
        for index, part in enumerate(detail):
            yield from _messages(part, f"{path}[{index}]")
    else:
        yield path, shortened(str(detail), DETAIL_TEXT_CHARS_MAX)


def _summary(detail: Mapping[str, str]) -> str:
    named = [
        f"{path}: {message}" if path else message for path, message in islice(detail.items(), 3)
    ]
    return shortened(" ".join(named), MESSAGE_CHARS_MAX) or "The request is not valid."


def error_response(error: MimirError) -> JsonResponse:
    """Return the response of an error that does not pass DRF's exception handler."""
    return JsonResponse(error.as_dict(), status=error.status, headers=error_headers(error))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler400`."""
    return error_response(MimirError("The request cannot be read."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler404`: the same response as for resources without access."""
    return error_response(NotFound())


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler403`."""
    return error_response(PermissionDenied("You are not allowed to do this."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`.

    The cause is in the log, with the request id. Known causes (full disk, no database) are named.
    """
    error = sys.exc_info()[1]
    known = as_mimir_error(error) if isinstance(error, Exception) else None
    if known is not None and known.status >= 500:
        return error_response(known)
    return error_response(
        MimirError(
            "Internal error. See the server log for this request ID.",
            code="internal_error",
            status=500,
        )
    )
