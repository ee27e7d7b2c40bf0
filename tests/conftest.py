"""What every test gets. The servers are started by the plugin `tests.support.servers`."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _redis_is_there() -> Iterator[None]:
    """A test that took Redis away must not make the next one's hints wait: each begins with the sender believing in it."""
    from jobs import queue

    queue._away_until = 0.0
    yield
