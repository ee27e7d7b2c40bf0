"""Sign-in, sign-out and session state."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mimir.frontend import saved_form, session
from mimir.frontend.api_client import ApiError, SignedOut, Unavailable, api


def sign_in_page(
    request: HttpRequest, *, message: str = "", username: str = "", status: int = 200
) -> HttpResponse:
    """Render the sign-in form, or its JSON answer for a script.

    `message` is the error of the last attempt. A saved form is passed on.
    """
    if _wants_json(request) and request.method == "POST":
        return JsonResponse({"message": message}, status=status)
    text = saved_form.to_json(saved_form.from_json(request.POST.get("kept", "")))
    context = {
        "message": message,
        "username": username,
        "next": session.safe_next(request, default=""),
        "kept": text,
        "notice": session.ENDED if text else "",
    }
    return render(request, "signin.html", context, status=status)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def signin(request: HttpRequest) -> HttpResponse:
    """`/signin/?next=`: redirect to `next`, or show the saved form.

    A script gets JSON {"username", "csrf"}.
    """
    if request.method != "POST":
        if session.current(request) is not None:
            return HttpResponseRedirect(session.safe_next(request))
        return sign_in_page(request)
    username, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if not username or not password:
        return sign_in_page(
            request, message="Enter a user name and a password.", username=username, status=400
        )
    back = session.safe_next(request)
    try:
        session.sign_in(request, username, password)
    except Unavailable as error:
        return sign_in_page(
            request,
            message=error.message
            if error.is_busy
            else "The orchestrator does not answer. Try again in a moment.",
            username=username,
            status=503,
        )
    except ApiError as error:
        return sign_in_page(
            request,
            message=_why(error),
            username=username,
            status=error.status if error.status < 500 else 502,
        )
    if _wants_json(request):
        return _state(request)
    form = saved_form.from_json(request.POST.get("kept", ""))
    return (
        saved_form.resend_page(request, form, back, "You are signed in again")
        if form
        else HttpResponseRedirect(back)
    )


@require_GET
def session_state(request: HttpRequest) -> HttpResponse:
    """`/session/`: JSON {"username", "csrf"}, requested before a form is sent.

    `username` is null without a valid session. Raises: Unavailable.
    """
    if session.current(request) is not None:
        try:
            api(request).get("session/")
        except SignedOut:
            request.session.flush()
    return _state(request)


def _state(request: HttpRequest) -> HttpResponse:
    user = session.current(request)
    answer = JsonResponse({"username": user.username if user else None, "csrf": get_token(request)})
    answer["Cache-Control"] = "no-store"
    return answer


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _why(error: ApiError) -> str:
    if error.status == 429 and error.retry_after:
        return f"{error.message} Try again in {error.retry_after:.0f} s."
    return error.message


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """End the session here and in the orchestrator."""
    session.sign_out(request)
    return HttpResponseRedirect(session.SIGN_IN_PATH)
