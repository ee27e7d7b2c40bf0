"""What every test gets. The servers are started by the plugin `tests.support.servers`."""

import os

import pytest

from tests.support.storages import bucket, each_storage  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _redis_is_there() -> None:
    """A test that took Redis away must not make the next one's hints wait: each begins with the sender believing in it."""
    from jobs.core import queue

    queue._away_until = 0.0


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With MIMIR_NO_SKIPS a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("MIMIR_NO_SKIPS") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
