"""`setting`: one field of `Env`, with its parser, default, description and roles."""

from collections.abc import Callable
from dataclasses import field
from typing import Any, Literal

Role = Literal["orchestrator", "frontend"]

BOTH: tuple[Role, ...] = ("orchestrator", "frontend")
MIB, GIB = 1024**2, 1024**3


def setting(
    parse: Callable[[str], Any],
    default: str | None,
    doc: str,
    *,
    roles: tuple[Role, ...] = ("orchestrator",),
) -> Any:
    """Return a dataclass field for one setting.

    `default`: as text; None for a required setting. `roles`: the roles that read it.
    """
    return field(metadata={"parse": parse, "default": default, "doc": doc, "roles": roles})
