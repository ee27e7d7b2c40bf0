"""Fixtures of every test.

The plugins `tests.support.*` hold what pytest needs before it reads this file.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.storages import bucket, each_storage  # noqa: F401 - fixtures

# The only profile. No deadline and no check of speed: a slow or busy machine is not a failure.
settings.register_profile(
    "tests",
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    servers: None, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """pytest-django's hook before it creates the test database: start the servers."""


@pytest.fixture(autouse=True)
def _redis_is_there() -> None:
    """A test that took Redis away must not make the next one's hints wait.

    Each begins with the sender believing in it.
    """
    from jobs.core import queue

    queue._away_until = 0.0


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With MIMIR_NO_SKIPS a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("MIMIR_NO_SKIPS") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
