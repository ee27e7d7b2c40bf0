"""What is wrong with something a user wrote: where, and what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong: where (`steps[2].with.query`) and what, as a sentence without its subject.

    `detail`: the engine's own words, where `message` is a translation of them.
    """

    path: str
    message: str
    detail: str = ""
