"""What user code names (files, columns, messages) may hold what no JSON column can: it becomes U+FFFD, so that a report is not refused for it."""

import math
from typing import Any


def storable(value: Any) -> Any:
    """`value` (what JSON holds) with U+0000 and half surrogate pairs replaced, and null for NaN and infinities."""
    if isinstance(value, str):
        return (
            value.replace("\x00", "\ufffd")
            .encode("utf-8", "surrogatepass")
            .decode("utf-8", "replace")
        )
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
