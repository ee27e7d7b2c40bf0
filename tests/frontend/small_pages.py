"""URLconf with a few pages, for tests of what all pages have in common.

`small_settings` starts the frontend with it.
"""

from django.core.files.uploadedfile import UploadedFile
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.middleware.csrf import get_token
from django.urls import path

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.session import current, safe_next, sign_in, sign_out, signed_in


def home(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "csrf": get_token(request),
            "address": request.META["REMOTE_ADDR"],
            "secure": request.is_secure(),
        }
    )


def signing_in(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            sign_in(request, request.POST["username"], request.POST["password"])
        except ApiError as error:
            return HttpResponse(error.message, status=400)
        return HttpResponseRedirect(safe_next(request))
    return HttpResponse("sign in")


def signing_out(request: HttpRequest) -> HttpResponse:
    sign_out(request)
    return HttpResponseRedirect("/signin/")


@signed_in
def projects(request: HttpRequest) -> HttpResponseBase:
    user = current(request)
    assert user is not None
    return JsonResponse(
        {
            "username": user.username,
            "is_staff": user.is_staff,
            **api(request).get(
                "projects/", {name: str(value) for name, value in request.GET.items()}
            ),
        }
    )


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def size(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    assert isinstance(file, UploadedFile)
    return HttpResponse(str(file.size))


urlpatterns = [
    path("", home),
    path("signin/", signing_in),
    path("signout/", signing_out),
    path("projects/", projects),
    path("broken/", broken),
    path("size/", size),
]

handler404 = "mimir.frontend.error_pages.not_found"
handler500 = "mimir.frontend.error_pages.server_error"
