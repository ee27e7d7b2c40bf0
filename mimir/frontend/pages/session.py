"""Signing in and out."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from mimir.frontend import session
from mimir.frontend.client import ApiError, Unavailable


def sign_in_page(request: HttpRequest, *, message: str = "", username: str = "", status: int = 200) -> HttpResponse:
    """The form; `message` is why the last try failed."""
    back = session.safe_next(request, default="")
    return render(request, "signin.html", {"message": message, "username": username, "next": back}, status=status)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def signin(request: HttpRequest) -> HttpResponse:
    """`/signin/?next=`: back to `next` when it worked."""
    if request.method != "POST":
        if session.current(request) is not None:
            return HttpResponseRedirect(session.safe_next(request))
        return sign_in_page(request)
    username, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if not username or not password:
        return sign_in_page(request, message="Give both a user name and a password.", username=username, status=400)
    back = session.safe_next(request)
    try:
        session.sign_in(request, username, password)
    except Unavailable:
        return sign_in_page(request, message="The orchestrator does not answer. Try again in a moment.", username=username, status=503)
    except ApiError as error:
        return sign_in_page(request, message=_why(error), username=username, status=error.status if error.status < 500 else 502)
    return HttpResponseRedirect(back)


def _why(error: ApiError) -> str:
    if error.status == 429 and error.retry_after:
        return f"{error.message} Try again in {error.retry_after:.0f} s."
    return error.message


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """Ends the session, here and at the orchestrator."""
    session.sign_out(request)
    return HttpResponseRedirect(session.SIGN_IN_PATH)
