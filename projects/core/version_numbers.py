"""Version numbers in paths."""

from mimir.lib.errors import NotFound


def version_number(text: str) -> int | None:
    """A version's number, None for `latest`. Raises: NotFound."""
    if text == "latest":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound("A version is a number, or latest.")
    return int(text)
