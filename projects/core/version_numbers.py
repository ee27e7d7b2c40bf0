"""Version numbers in paths."""

from mimir.lib.errors import NotFound


def version_number(text: str) -> int | None:
    """Return the number in a path, or None for `latest`. Raises: NotFound."""
    if text == "latest":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound("Invalid version. Use a number, or latest.")
    return int(text)
