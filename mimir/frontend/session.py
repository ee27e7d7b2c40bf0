"""Sign in and out.

The session is a signed cookie that holds the API token: {"token", "username", "is_staff",
"expires_at"}.
"""

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render

from mimir.frontend import saved_form
from mimir.frontend.api_client import ApiError, SignedOut, api
from mimir.frontend.job_types import job_types
from mimir.lib.clock import utc_now

SIGN_IN_PATH = "/signin/"
HOME_PATH = "/projects/"

ENDED = "Your session has ended. Sign in to save; your text is kept."

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Signed-in user of a session cookie. The API authorizes each request itself."""

    username: str
    is_staff: bool
    token: str
    expires_at: dt.datetime


def sign_in(request: HttpRequest, username: str, password: str) -> SessionUser:
    """Get a token from the API and store it in a new session.

    Raises: ApiError with the API's status and message (401 for a wrong password, 429 after too
    many attempts), Unavailable.
    """
    request.session.flush()
    try:
        granted = api(request).post("session/", {"username": username, "password": password})
    except SignedOut as error:  # wrong password: stay on the sign-in page
        raise ApiError(
            error.status, error.code, error.message, error.detail, error.retry_after
        ) from error
    request.session["token"] = granted["token"]
    who = api(request).get("session/")
    request.session["username"] = who["username"]
    request.session["is_staff"] = who["is_staff"]
    request.session["expires_at"] = granted["expires_at"]
    user = current(request)
    if user is None:
        request.session.flush()
        raise ApiError(
            502,
            "bad_answer",
            "The new session has already expired. Check that the clocks of both servers agree.",
        )
    request.session.set_expiry(user.expires_at)
    rotate_token(request)
    return user


def sign_out(request: HttpRequest) -> None:
    """Revoke the token and end the session, even if the orchestrator does not answer."""
    try:
        if current(request) is not None:
            api(request).delete("session/")
    except ApiError:
        pass  # the token expires at expires_at
    finally:
        request.session.flush()
        rotate_token(request)


def current(request: HttpRequest) -> SessionUser | None:
    """Return the signed-in user of a request; None without a valid session."""
    session = getattr(request, "session", None)
    return _user(session) if session is not None else None


def read_cookie(value: str) -> SessionUser | None:
    """Return the signed-in user of a cookie value, for code that runs before Django."""
    return _user(SessionStore(value).load()) if value else None


def _user(data: Any) -> SessionUser | None:
    """Read the user from session data (a mapping, or Django's session object)."""
    token, expires = data.get("token"), data.get("expires_at")
    if (
        not isinstance(token, str)
        or not token
        or not token.isascii()
        or not token.isprintable()
        or not isinstance(expires, str)
    ):
        return None
    try:
        expires_at = dt.datetime.fromisoformat(expires)
    except ValueError:
        return None
    if expires_at.tzinfo is None or expires_at <= utc_now():
        return None
    return SessionUser(
        str(data.get("username", "")), data.get("is_staff") is True, token, expires_at
    )


def signed_in(view: View[P]) -> View[P]:
    """Decorate a view that needs a session. Without one, redirect to the sign-in page."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if current(request) is None:
            return to_sign_in(request)
        job_types.refresh(api(request))
        return view(request, *args, **kwargs)

    return guarded


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page and back.

    A posted form gets the sign-in page itself, which keeps the form's fields. A POST by a script
    gets an empty 401.
    """
    if posted_by_script(request):
        return HttpResponse(status=401, headers={"Cache-Control": "no-store"})
    if request.method not in ("GET", "HEAD"):
        return _sign_in_and_keep(request)
    response = HttpResponseRedirect(
        f"{SIGN_IN_PATH}?{urlencode({'next': request.get_full_path()})}"
    )
    response["Cache-Control"] = "no-store"
    return response


def posted_by_script(request: HttpRequest) -> bool:
    """Whether `fetch` posted the request and needs no page as the answer.

    The 401 for such a request must not set a cookie: the answer can arrive after the next sign-in,
    and would then restore the old CSRF secret or end the new session.
    """
    return (
        request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Dest") == "empty"
    )


def _sign_in_and_keep(request: HttpRequest) -> HttpResponse:
    form = saved_form.from_request(request)
    text = saved_form.to_json(form)
    if form.fields and not text:
        notice = (
            "Your session has ended. This form is too large to save. Sign in in another tab, then "
            "send it again from here."
        )
    elif request.FILES:
        notice = ENDED + " Choose the file again after you have signed in."
    else:
        notice = ENDED if text else "Your session has ended. Sign in, then try again."
    context = {
        "message": "",
        "username": "",
        "next": saved_form.referring_page(request),
        "kept": text,
        "notice": notice,
    }
    response = render(request, "signin.html", context, status=401)
    response["Cache-Control"] = "no-store"
    return response


def safe_next(request: HttpRequest, default: str = HOME_PATH) -> str:
    """Return the page to show after sign-in: `next` of the form or query if it is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return (
        wanted
        if saved_form.is_site_path(wanted) and not wanted.startswith((SIGN_IN_PATH, "/signout/"))
        else default
    )


def page_context(request: HttpRequest) -> Mapping[str, object]:
    """Context processor: `user` (None if signed out) and `now`."""
    return {"user": current(request), "now": utc_now()}
