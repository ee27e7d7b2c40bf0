"""Hooks for schemathesis, which runs in a separate environment without our packages."""

import urllib.parse

import requests
import schemathesis

_cursors: dict[str, list[str]] = {}  # by operation: from `next` of earlier responses
_CURSORS_MAX = 20


@schemathesis.hook
def before_call(context, case, kwargs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Take the cursor of a valid request from an earlier answer.

    It is a position in one list, which no schema can state.
    """
    if (
        case.meta is None
        or not case.meta.generation.mode.is_positive
        or "cursor" not in (case.query or {})
    ):
        return
    known = _cursors.get(case.operation.label)
    if known and case.operation.label.endswith("/search/"):
        return  # an offset
    if known:
        case.query["cursor"] = known[len(str(case.query["cursor"])) % len(known)]
    elif not isinstance(case.query["cursor"], int):
        del case.query["cursor"]


@schemathesis.hook
def after_call(context, case, response):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Keep cursors.

    Reactivate a project that was archived, because an archived project rejects every change.
    """
    if response.status_code != 200 or not response.headers.get("content-type", [""])[0].startswith(
        "application/json"
    ):
        return
    body = response.json()
    if not isinstance(body, dict):
        return
    following = body.get("next")
    if isinstance(following, str):
        cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(following).query).get("cursor", [""])[
            0
        ]
        kept = _cursors.setdefault(case.operation.label, [])
        if cursor and len(kept) < _CURSORS_MAX:
            kept.append(cursor)
    if case.method == "PATCH" and body.get("status") == "archived" and "slug" in body:
        headers = {"Authorization": response.request.headers["Authorization"]}
        requests.patch(response.request.url, json={"status": "active"}, headers=headers, timeout=30)


@schemathesis.hook
def filter_body(context, body):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Remove null values, empty lists and empty objects, which a form cannot send.

    The form then sends no such field, which is valid.
    """
    forms = any(one.media_type == "multipart/form-data" for one in context.operation.body)
    return not (
        forms and isinstance(body, dict) and any(value in (None, [], {}) for value in body.values())
    )
