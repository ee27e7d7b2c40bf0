"""A pytest plugin: keep the garbage collector away from the tests that were collected.

Collection creates millions of objects that stay until the end. With Python's defaults a third of
its time is spent on looking for garbage among them, and each later pass looks at all of them again.
"""

import gc

import pytest

from mimir.lib.garbage_collection import collect_less_often


def pytest_configure() -> None:
    """Set the thresholds of the product's processes before anything is imported."""
    collect_less_often()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exempt everything that exists now from later passes."""
    gc.collect()
    gc.freeze()
