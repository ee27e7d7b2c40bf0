"""pytest plugin: while a test marked `quiet` runs, no other process of the run executes a test.

Such a test limits a waiting time, and could fail because of other load.
"""

import contextlib
import fcntl
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.run_folder import run_folder


# First, so the time limit of a test starts when it holds the lock.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    folder = run_folder()
    if folder is None or not hasattr(item.config, "workerinput"):
        return (yield)
    with _turn(folder, alone=item.get_closest_marker("quiet") is not None):
        return (yield)


@contextlib.contextmanager
def _turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Hold the lock of running tests. A waiting exclusive test keeps new ones from starting."""
    mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with (folder / "gate.lock").open("w") as gate, (folder / "tests.lock").open("w") as running:
        fcntl.flock(gate, mode)
        fcntl.flock(running, mode)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield
