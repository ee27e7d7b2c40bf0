"""A real frontend process in front of a small real upstream, shared by all tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.frontend.process import Frontend, running_frontend
from tests.frontend.upstream import Upstream, running_upstream
from tests.support.job_types import load_job_types


@pytest.fixture(scope="session", autouse=True)
def _job_types() -> None:
    """Load titles, icons and schemas as the API returns them."""
    load_job_types()


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh_upstream(request: pytest.FixtureRequest) -> Iterator[None]:
    """Reset the upstream for each test that uses it, and release blocked requests at the end."""
    if "upstream" not in request.fixturenames:
        yield
        return
    upstream: Upstream = request.getfixturevalue("upstream")
    upstream.gone.clear()
    upstream.asked.clear()
    upstream.go_on.clear()
    upstream.socket_codes.clear()
    yield
    upstream.go_on.set()


@pytest.fixture(scope="session")
def frontend(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    with running_frontend(tmp_path_factory.mktemp("frontend"), upstream.url) as running:
        yield running


@pytest.fixture
def start_frontend(tmp_path: Path) -> Iterator[Callable[..., Frontend]]:
    """Start a frontend with given settings; it ends with the test."""
    with ExitStack() as stack:
        yield lambda api_url, **settings: stack.enter_context(
            running_frontend(tmp_path, api_url, **settings)
        )
