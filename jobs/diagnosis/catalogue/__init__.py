"""Catalogue of all sentences of diagnoses: one message for each cause. Pure.

Rules choose a message and its parameters; `jobs.diagnosis.message` renders it. No code parses the
rendered text. `CATALOGUE` finds a message by the code that is stored with a diagnosis.
"""

from types import ModuleType

from jobs.diagnosis.catalogue import (
    attempts,
    image_pull,
    launch,
    placement,
    refusals,
    startup,
    worker_end,
)
from jobs.diagnosis.message import Message

_MODULES: tuple[ModuleType, ...] = (
    attempts,
    image_pull,
    launch,
    placement,
    refusals,
    startup,
    worker_end,
)


def _messages() -> dict[str, Message]:
    found: dict[str, Message] = {}
    for module in _MODULES:
        for value in vars(module).values():
            several = value.values() if isinstance(value, dict) else (value,)
            found |= {each.code: each for each in several if isinstance(each, Message)}
    return found


CATALOGUE: dict[str, Message] = _messages()
