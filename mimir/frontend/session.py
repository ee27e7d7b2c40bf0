"""Signing in and out. The session is a signed cookie with the API's token in it: {"token", "username", "is_staff", "expires_at"}."""

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

from mimir.frontend import kept
from mimir.frontend.client import ApiError, SignedOut, api
from mimir.frontend.job_types import job_types
from mimir.lib.clock import utc_now

SIGN_IN_PATH = "/signin/"
HOME_PATH = "/projects/"

ENDED = "Your session has ended. Sign in to save; your text is kept."

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Who is signed in, as the cookie says. The API has the last word on each request."""

    username: str
    is_staff: bool
    token: str
    expires_at: dt.datetime


def sign_in(request: HttpRequest, username: str, password: str) -> SessionUser:
    """Get a token from the API and keep it in a new session.

    Raises: ApiError with the API's status and words (401 for a wrong password, 429 after too many of them), Unavailable.
    """
    request.session.flush()
    try:
        granted = api(request).post("session/", {"username": username, "password": password})
    except SignedOut as error:  # a wrong password: nobody has to be sent to the page they are on
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
            "The orchestrator gave a session that has already ended. Check the machines' clocks.",
        )
    request.session.set_expiry(user.expires_at)
    rotate_token(request)
    return user


def sign_out(request: HttpRequest) -> None:
    """Revoke the token and forget it; an orchestrator that is away does not keep anybody signed in here."""
    try:
        if current(request) is not None:
            api(request).delete("session/")
    except ApiError:
        pass  # it ends by itself at expires_at
    finally:
        request.session.flush()
        rotate_token(request)


def current(request: HttpRequest) -> SessionUser | None:
    """Who signed this request's session, or None when nobody did or it has ended."""
    session = getattr(request, "session", None)
    return _user(session) if session is not None else None


def read_cookie(value: str) -> SessionUser | None:
    """The same from the cookie's text, for what runs in front of Django."""
    return _user(SessionStore(value).load()) if value else None


def _user(data: Any) -> SessionUser | None:
    """The user in a session's data (a mapping, or Django's session, which only looks like one)."""
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
    """Decorator of a view that needs a session: without one, lead to the sign-in page and back."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if current(request) is None:
            return to_sign_in(request)
        job_types.refresh(api(request))
        return view(request, *args, **kwargs)

    return guarded


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the sign-in page and from there back. A posted form gets the sign-in page itself, which keeps the form's fields."""
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
    """Whether `fetch` posted it, which takes no page for an answer.

    Its 401 must set no cookie: it may arrive after the user has signed in again, and would bring back the old CSRF secret or end the session.
    """
    return (
        request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Dest") == "empty"
    )


def _sign_in_and_keep(request: HttpRequest) -> HttpResponse:
    form = kept.of_request(request)
    text = kept.written(form)
    if form.fields and not text:
        notice = "Your session has ended. This form is too large to keep: sign in in another tab, then send it again from here."
    elif request.FILES:
        notice = ENDED + " Choose the file again after you have signed in."
    else:
        notice = ENDED if text else "Your session has ended. Sign in, then try again."
    context = {
        "message": "",
        "username": "",
        "next": kept.page_of(request),
        "kept": text,
        "notice": notice,
    }
    response = render(request, "signin.html", context, status=401)
    response["Cache-Control"] = "no-store"
    return response


def safe_next(request: HttpRequest, default: str = HOME_PATH) -> str:
    """Where to go after signing in: `next` of the form or the query if it is a path of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return (
        wanted
        if kept.is_our_path(wanted) and not wanted.startswith((SIGN_IN_PATH, "/signout/"))
        else default
    )


def page_context(request: HttpRequest) -> Mapping[str, Any]:
    """Context processor: `user` (None when nobody is signed in) and `now`."""
    return {"user": current(request), "now": utc_now()}
