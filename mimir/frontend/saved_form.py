"""Keep the fields of a form that was posted with an ended session or a stale CSRF token.

The fields are in hidden inputs of the sign-in page and never stored on the server. After sign-in
the user sees them and decides whether to send them again.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from mimir.frontend.formatting import visible

SAVED_BYTES_MAX = (
    1536 * 1024
)  # JSON size limit; the user resends a larger form from the browser's history
FIELDS_MAX = 2000
_NEVER = (
    "csrfmiddlewaretoken",
    "password",
    "current_password",
    "new_password",
    "repeated",
    "next",
    "kept",
)
_LONG = 80  # characters above which a field is shown as a text area
_HIDDEN = ("etag", "idempotency_key", "then", "shown_algorithm")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SavedForm:
    """Address a form was posted to (path and query), and its fields."""

    path: str
    fields: Pairs


@dataclass(frozen=True, slots=True)
class Field:
    """One saved field, as the page shows it."""

    name: str
    value: str

    @property
    def hidden(self) -> bool:
        """Whether the user has no need to see the field."""
        return self.name in _HIDDEN or not self.value

    @property
    def long(self) -> bool:
        """Whether the value needs a text area."""
        return len(self.value) > _LONG or "\n" in self.value

    @property
    def label(self) -> str:
        """Readable field name."""
        return visible(self.name.rpartition(".")[2].replace("_", " ").capitalize())


def from_request(request: HttpRequest) -> SavedForm:
    """Read the posted form, without files and passwords."""
    fields = [
        (name, str(value))
        for name, values in request.POST.lists()
        if name not in _NEVER
        for value in values
    ]
    return SavedForm(request.get_full_path(), fields)


def to_json(form: SavedForm | None) -> str:
    """Serialize the form for a hidden input. Empty if it has no fields or is too large."""
    if form is None or not form.fields or len(form.fields) > FIELDS_MAX:
        return ""
    text = json.dumps([form.path, form.fields], ensure_ascii=False)
    return text if len(text.encode()) <= SAVED_BYTES_MAX else ""


def from_json(text: str) -> SavedForm | None:
    """Parse the output of `to_json`. None for any other text."""
    if not text or len(text) > SAVED_BYTES_MAX:
        return None
    try:
        path, rows = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    if (
        not isinstance(path, str)
        or not is_site_path(path)
        or not isinstance(rows, list)
        or len(rows) > FIELDS_MAX
    ):
        return None
    fields = [
        (row[0], row[1])
        for row in rows
        if isinstance(row, list) and len(row) == 2 and all(isinstance(one, str) for one in row)
    ]
    return SavedForm(path, [(name, value) for name, value in fields if name not in _NEVER])


def is_site_path(path: str) -> bool:
    """Whether `path` is a path of this site."""
    return path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)


def referring_page(request: HttpRequest) -> str:
    """Return the page that posted the form.

    The path and query of a Referer of this site, else the address the form was posted to.
    """
    referer = urlsplit(request.headers.get("Referer", ""))
    path = referer.path + (f"?{referer.query}" if referer.query else "")
    own = (
        referer.netloc == request.get_host()
        and is_site_path(path)
        and not path.startswith(("/signin/", "/signout/"))
    )
    return path if own else request.get_full_path()


def is_same_origin(request: HttpRequest) -> bool:
    """Whether the Origin header names this site."""
    return request.headers.get("Origin", "") in (
        settings.ENV.public_url,
        f"{request.scheme}://{request.get_host()}",
    )


def resend_page(
    request: HttpRequest, form: SavedForm, back: str, title: str, status: int = 200
) -> HttpResponse:
    """Render the saved fields with a button that sends them with a fresh CSRF token.

    `back` is the page with the original form.
    """
    fields = [Field(name, value) for name, value in form.fields]
    check = "definition" in dict(form.fields)
    context = {"title": title, "path": form.path, "back": back, "fields": fields, "check": check}
    response = render(request, "kept.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
