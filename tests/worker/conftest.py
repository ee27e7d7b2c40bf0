"""Fixtures: one installation with small limits and without retries, and single workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack, running
from tests.support.waiting import wait_for
from tests.worker.faulty import Start, Worker, start_worker

LOG_BYTES, ARTIFACT_BYTES = 256 * 1024 * 1024, 8 * 1024 * 1024


@pytest.fixture(scope="session")
def _installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(
        tmp_path_factory.mktemp("worker"),
        INFRASTRUCTURE_RETRIES="0",
        ARTIFACT_BYTES_MAX=str(ARTIFACT_BYTES),
        SPOOL_BYTES_MAX=str(2 * 1024 * 1024),
        LOG_BYTES_MAX=str(LOG_BYTES),
        WORKER_GRACE="60",
        READ_URL_ALLOW="127.0.0.1",
    )


@pytest.fixture
def stack(_installation: Stack) -> Iterator[Stack]:
    wait_for(_installation.answers, "the installation is on its feet")
    yield _installation
    _installation.disarm()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Worker] = []

    def begin(*arguments: Any, **options: Any) -> Worker:
        started.append(start_worker(tmp_path, *arguments, **options))
        return started[-1]

    yield begin
    for worker in started:
        worker.process.kill()
        worker.process.wait()
        worker.orchestrator.close()
