"""ETag and If-Match: nobody overwrites what they have not seen."""

from rest_framework.request import Request

from mimir.lib.errors import MimirError


class PreconditionFailed(MimirError):
    """The thing was changed since the client read it. Answered with 412."""

    status, code = 412, "precondition_failed"


def wanted_etags(request: Request) -> frozenset[str] | None:
    """The ETags of `If-Match`, None when there is none or it is `*`.

    A `W/` is taken off: proxies that compress weaken our tags, which name versions, not bytes.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(part.strip().removeprefix("W/") for part in header.split(","))


def check_etag(current: str, wanted: frozenset[str] | None) -> None:
    """Raises: PreconditionFailed unless `current` is among `wanted`; None allows everything."""
    if wanted is not None and current not in wanted:
        raise PreconditionFailed("This was changed since you read it. Read it again, then repeat your change.", detail={"etag": current})
