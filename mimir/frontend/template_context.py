"""Values for a template. Python builds them and does not read them back."""

from typing import Any

Context = dict[str, Any]
