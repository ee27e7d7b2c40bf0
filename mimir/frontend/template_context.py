"""Type of the values that a page passes to its template."""

from typing import Any

Context = dict[str, Any]
