"""Allowed names and slugs, as they appear in paths, file names and queries."""

import re

from mimir.lib.errors import Invalid

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
SLUG_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_RULE = (
    "1 to 200 letters, digits, dots, dashes and underscores, starting with a letter or a digit"
)
SLUG_RULE = (
    "1 to 63 lower-case letters, digits and dashes, starting and ending with a letter or a digit"
)
_RESERVED = frozenset({"validate"})  # the API has a path of this name beside the names


def check_name(name: str, field: str = "name") -> None:
    """Check the name of a dataset, pipeline, model or twin. Raises: Invalid."""
    if not re.fullmatch(NAME_PATTERN, name) or name in _RESERVED:
        rule = f"{name} is reserved" if name in _RESERVED else NAME_RULE
        raise Invalid(f"{field}: {rule}.", detail={field: rule})


def check_slug(slug: str) -> None:
    """Check the slug of a project. Raises: Invalid."""
    if not re.fullmatch(SLUG_PATTERN, slug):
        raise Invalid(f"slug: {SLUG_RULE}.", detail={"slug": SLUG_RULE})
