"""Errors forbidden on every page: script errors, console errors, content security violations."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, WebError

_TELLS = (
    "document.addEventListener('securitypolicyviolation', (event) => console.error('policy', "
    "event.violatedDirective, event.blockedURI));"
)


class Watch:
    """Collects the errors of every page of the watched contexts.

    `expects` names the errors that a test provokes.
    """

    def __init__(self) -> None:
        self._troubles: list[str] = []
        self._expected: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of a context from now on."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.add_init_script(_TELLS)

    def expects(self, *patterns: str) -> None:
        """Expect errors that match one of these patterns."""
        self._expected += patterns

    @property
    def troubles(self) -> list[str]:
        """Return the unexpected errors."""
        return [
            text
            for text in self._troubles
            if not any(re.search(pattern, text) for pattern in self._expected)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self._troubles.append(f"script: {error.error}")
