"""pytest plugin: exclude the collected tests from garbage collection.

The collection of tests creates millions of objects that live until the end. With Python's default
thresholds, a third of its time is garbage collection, and each later pass scans all of them again.
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
