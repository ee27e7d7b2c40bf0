"""Headless Chromium of the operating system, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from tests.support.stack import Stack

WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
# Without these it resolves its vendor's hosts at every start; as root it has no sandbox.
_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# The first installed one. The headless shell renders like the others, in half the CPU time.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser for one module. While it is open, this thread runs its event loop."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    assert program, "The browser tests need Chromium. On Debian: apt-get install chromium"
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=arguments)


def context_of(opened: Browser, stack: Stack, **options: Any) -> BrowserContext:
    """Open a browser context without cookies on an installation."""
    return opened.new_context(
        base_url=stack.described["frontend_url"], **{"viewport": WIDE, **options}
    )


def sign_in(page: Page, username: str, password: str) -> None:
    """Sign in with the form."""
    page.goto("/signin/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/signin/" not in url)
