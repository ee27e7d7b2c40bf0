"""pytest plugin: mark as `fast` each test that starts no server, no installation and no browser.

The fixtures of a test decide, and the mark `slow`. `make test-fast` runs the tests with this mark.
"""

import pytest

# Fixtures that start a process or a thread which serves. A fixture that depends on one of them is covered.
SERVING = {
    "_fake_process",
    "_installation",
    "_target",
    "alone",
    "app",
    "browser",
    "bucket",
    "canned",
    "cluster",
    "django_db_setup",
    "fake",
    "lossy",
    "packages",
    "servers",
    "stack",
    "start_frontend",
    "upstream",
    "web",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        marked = any(item.get_closest_marker(name) for name in ("django_db", "slow"))
        if not marked and not fixtures & SERVING:
            item.add_marker("fast")
