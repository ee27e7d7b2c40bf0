"""pytest plugin: mark the tests that `make test-fast` runs as `fast`.

A test is fast if it starts no server, no installation and no browser, and takes less than a few
seconds of CPU time. Determined by its fixtures, the mark `slow`, and a list of files.
"""

import pytest

# Fixtures that start a server. A fixture that depends on one of them needs no entry.
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
    "launcher",
    "lossy",
    "packages",
    "servers",
    "stack",
    "start",
    "start_frontend",
    "upstream",
    "web",
}
EXCLUDED = (
    # These start programs without a fixture.
    "tests/deploy/",
    "tests/dev/test_installation.py",
    "tests/dev/test_service_forks.py",
    "tests/fakes/test_process.py",
    "tests/launchers/test_fork_server.py",
    "tests/serving/",
    "tests/worker/test_supervisor",
    # These take many seconds of CPU time: large bodies, training of models.
    "tests/api/test_body_memory.py",
    "tests/projects/test_reading_limits.py",
    "tests/worker/test_column_kinds.py",
    "tests/worker/test_inference.py",
    "tests/worker/test_sandbox.py::test_what_does_not_fit_into_memory",
    "tests/worker/test_training",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        marked = any(item.get_closest_marker(name) for name in ("django_db", "slow"))
        if not (marked or fixtures & SERVING or item.nodeid.startswith(EXCLUDED)):
            item.add_marker("fast")
