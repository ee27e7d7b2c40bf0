"""`FieldError`: one fault in user input, with its path and message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault: its path (`steps[2].with.query`) and a message without a subject.

    `detail`: the engine's original message, if `message` replaces one.
    """

    path: str
    message: str
    detail: str = ""
