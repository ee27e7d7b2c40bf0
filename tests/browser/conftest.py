"""One installation and one browser for all browser tests. Each test has separate browser contexts,
and their pages must have no errors.

The scope is the package: while the browser is open its event loop runs in this thread, so no
asynchronous test can run.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser.gated import GatedJob
from tests.browser.watch import Watch
from tests.support.browser import browser, context_of, sign_in
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

SLOTS = 4  # concurrent jobs, as many as the data of the screenshots needs
PATIENCE_MS = 30_000  # the limit of every wait, not a fixed delay

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from running(
        tmp_path_factory.mktemp("browser"), CAPACITY_JOBS=str(SLOTS), CANCEL_GRACE="5"
    )


@pytest.fixture(scope="package")
def chromium(stack: Stack) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def session(stack: Stack, chromium: Browser) -> StorageState:
    """Return the cookies of a signed-in user."""
    context = context_of(chromium, stack)
    context.set_default_timeout(PATIENCE_MS)
    sign_in(context.new_page(), stack.described["username"], stack.described["password"])
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def watch() -> Iterator[Watch]:
    created = Watch()
    yield created
    assert created.troubles == []


@pytest.fixture
def visit(stack: Stack, chromium: Browser, watch: Watch) -> Iterator[Visit]:
    """`visit(**options)` returns the page of a new visitor without cookies."""
    contexts: list[BrowserContext] = []

    def created(**options: Any) -> Page:
        context = context_of(chromium, stack, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        watch.follow(context)
        return context.new_page()

    yield created
    for context in contexts:
        context.close()


@pytest.fixture
def member(visit: Visit, session: StorageState) -> Visit:
    """`member(**options)` returns the page of a signed-in user."""
    return lambda **options: visit(storage_state=session, **options)


@pytest.fixture
def page(member: Visit) -> Page:
    """Page of a signed-in user on a wide screen."""
    return member()


@pytest.fixture
def gated(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., GatedJob]]:
    """Create jobs that a test controls, and end all of them afterwards."""
    created: list[GatedJob] = []

    def submitted(**fields: Any) -> GatedJob:
        created.append(GatedJob(stack, tmp_path, **fields))
        return created[-1]

    yield submitted
    wait_for(stack.answers, "the installation answers")
    for job in created:
        job.be_gone()
