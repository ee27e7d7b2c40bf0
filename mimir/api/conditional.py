"""Last steps of a rendered JSON response: ETag, 304, gzip."""

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string
from rest_framework.request import Request

from mimir.api.downloads import accepts_gzip
from mimir.api.etags import listed_etags, weak_match, with_content_hash

GZIP_BYTES_MIN = 4096
# Random bytes in the gzip header hide the exact length ("Heal the BREACH"). No GET of the API
# returns a secret: tokens are shown once, by the POST that creates them, and responses to POST are
# never compressed.
_RANDOM_BYTES_MAX = 100


def finish(request: Request, response: HttpResponse) -> HttpResponse | None:
    """Post-render callback: complete the ETag, answer 304 or compress.

    Returns a replacement, or None to keep the response.
    """
    if not 200 <= response.status_code < 300:
        return None
    etag = response.get("ETag")
    if etag and response.content:
        etag = response["ETag"] = with_content_hash(etag, response.content)
    if request.method not in ("GET", "HEAD"):
        return None
    patch_vary_headers(response, ("Accept-Encoding",))
    known = listed_etags(request, "If-None-Match")
    if etag and known is not None and weak_match(etag, known):
        return _not_modified(response)
    if len(response.content) >= GZIP_BYTES_MIN and accepts_gzip(
        request.headers.get("Accept-Encoding", "")
    ):
        response.content = compress_string(response.content, max_random_bytes=_RANDOM_BYTES_MAX)
        response["Content-Encoding"] = "gzip"
        if etag:
            response["ETag"] = f"W/{etag}"
    return None


def _not_modified(response: HttpResponse) -> HttpResponse:
    bare = HttpResponse(status=304)
    for name, value in response.items():
        if name not in ("Content-Type", "Content-Length"):
            bare[name] = value
    del bare["Content-Type"]
    return bare
