"""One installation for all tests here; a test must repair whatever it breaks."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, running
from tests.support.waiting import wait_for


@pytest.fixture(scope="session")
def _installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(
        tmp_path_factory.mktemp("chaos"),
        LAUNCH_TIMEOUT="20",
        CANCEL_GRACE="3",
        WORKER_GRACE="60",
        JOB_TIMEOUT="120",
    )


@pytest.fixture
def stack(_installation: Stack) -> Iterator[Stack]:
    wait_for(_installation.answers, "the installation is on its feet")
    yield _installation
    _installation.disarm()
