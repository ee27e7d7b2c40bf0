"""What things may be called: in paths, in file names, in queries."""

import re

from mimir.lib.errors import Invalid

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
SLUG_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_RULE = (
    "1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"
)
SLUG_RULE = (
    "1 to 63 small letters, digits and dashes, beginning and ending with a letter or a digit"
)
_RESERVED = frozenset({"validate"})  # a path of the API beside the names


def check_name(name: str, field: str = "name") -> None:
    """Raises: Invalid unless `name` may be a dataset's or a pipeline's."""
    if not re.fullmatch(NAME_PATTERN, name) or name in _RESERVED:
        rule = f"{name} is reserved" if name in _RESERVED else NAME_RULE
        raise Invalid(f"{field}: {rule}.", detail={field: rule})


def check_slug(slug: str) -> None:
    """Raises: Invalid unless `slug` may be a project's."""
    if not re.fullmatch(SLUG_PATTERN, slug):
        raise Invalid(f"slug: {SLUG_RULE}.", detail={"slug": SLUG_RULE})
