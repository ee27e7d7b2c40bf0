"""What an answer is made of."""

from collections.abc import Iterable
from typing import Any

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class TolerantNegotiation(DefaultContentNegotiation):
    """Accept chooses where there is a choice, and refuses nothing: logs and files have their own types, and DRF, which knows of JSON
    alone, would answer 406 to somebody who asks for just those (RFC 9110, 12.4.1 leaves it to the server)."""

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> tuple[Any, str]:
        """DRF's hook: the renderer and its media type."""
        known = list(renderers)
        try:
            chosen: tuple[Any, str] = super().select_renderer(request, known, format_suffix)
        except NotAcceptable:
            return known[0], known[0].media_type
        return chosen
