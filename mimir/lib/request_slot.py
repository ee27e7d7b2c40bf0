"""The slot of a web request: its share of the CPU and of the pool of database connections.

`mimir.api.lanes` gives slots to requests. Code outside of a web request has no slot.
"""

from collections.abc import Callable
from contextvars import ContextVar


def _nothing() -> None:
    """Do nothing: the default for code without a slot."""


RELEASE: ContextVar[Callable[[], None]] = ContextVar("release_slot", default=_nothing)


def slot_release() -> None:
    """Give the current request's slot to another request.

    Called by a request that waits without a database connection: for the end of a job, a parsing
    child or a password hash. It does not wait for a slot when it continues. Harmless if repeated.
    """
    RELEASE.get()()
