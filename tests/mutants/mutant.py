"""Definition of a mutant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file, and the test that must fail with an assertion."""

    name: str
    path: str
    old: str
    new: str
    test: str
    # further (path, old, new), for a guarantee with two implementations
    more: tuple[tuple[str, str, str], ...] = ()
