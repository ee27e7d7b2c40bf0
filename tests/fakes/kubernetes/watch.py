"""One watch: the changes since a version as ordered lines of JSON, with injected faults applied."""

from collections.abc import Callable
from typing import Any

from tests.fakes.kubernetes.clock import Clock
from tests.fakes.kubernetes.faults import Fault, Faults, Rule
from tests.fakes.kubernetes.http import Refused, as_json
from tests.fakes.kubernetes.resources import Resource
from tests.fakes.kubernetes.shapes import status_object
from tests.fakes.kubernetes.store import Change, ChangeType, Expired, Store, Version

BOOKMARK_SECONDS = 60.0
Fits = Callable[[Version], bool]


class Stream:
    """Open watch.

    Lines are passed to `send` after the server attaches it; `close(broken)` ends the watch.
    """

    def __init__(
        self, clock: Clock, faults: Faults, resource: Resource, fits: Fits, *, bookmarks: bool
    ) -> None:
        self._clock, self._faults, self.resource, self._fits = clock, faults, resource, fits
        self._bookmarks = bookmarks
        self._number = 0
        self._held: list[bytes] = []
        self._late_until = 0.0
        self._waiting: list[bytes] = []
        self._send: Callable[[bytes], None] | None = None
        self._end: Callable[[bool], None] | None = None
        self._broken = False
        self.open = True
        self.delay_seconds = 0.0  # real time before the server starts to respond
        self.silent = False
        if bookmarks:
            clock.after(BOOKMARK_SECONDS, self._regular_bookmark)

    def attach(self, send: Callable[[bytes], None], end: Callable[[bool], None]) -> None:
        self._send, self._end = send, end
        held, self._held = self._held, []
        for line in held:
            send(line)
        if not self.open:
            end(self._broken)

    def close(self, *, broken: bool = False) -> None:
        if not self.open:
            return
        self.open, self._broken = False, broken
        if self._end:
            self._end(broken)

    def time_out(self) -> None:
        """End cleanly after `timeoutSeconds`, with a last bookmark."""
        self.bookmark(self._number)
        self.close()

    def start(self, store: Store, version: str) -> None:
        """Start after a version, or without one with all existing objects."""
        self._number = store.number
        if version in ("", "0"):
            for each in store.snapshot(self.resource):
                if self._fits(each):
                    self._deliver(_line(ChangeType.ADDED, each.raw))
            return
        try:
            for change in store.changes_since(int(version)):
                self.see(change)
        except Expired as expired:
            self.gone(str(expired))
        except ValueError:
            raise Refused(
                400,
                "BadRequest",
                f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing: '
                "invalid syntax",
            ) from None

    def see(self, change: Change) -> None:
        """Send a change to any object, if this watch selects it."""
        self._number = max(self._number, change.number)
        if not self.open or change.version.resource is not self.resource:
            return
        now = change.type is not ChangeType.DELETED and self._fits(change.version)
        before = change.before is not None and self._fits(change.before)
        if not now and not before:
            return
        kind = (
            ChangeType.MODIFIED
            if now and before
            else ChangeType.ADDED
            if now
            else ChangeType.DELETED
        )
        self._pass(
            _line(kind, change.version.raw),
            self._faults.on_event(self.resource.plural, change.version.key[1]),
        )

    def _pass(self, line: bytes, rule: Rule | None) -> None:
        fault = rule.fault if rule else None
        if fault is Fault.WATCH_DROP:
            return
        if fault is Fault.WATCH_SILENT:
            self.silent = True
        elif fault is Fault.WATCH_CUT:
            self.close(broken=True)
        elif fault is Fault.WATCH_GONE:
            self.gone("too old resource version: 1 (2)")
        elif fault is Fault.WATCH_LATE and rule:
            self._late_until = max(self._late_until, self._clock.now + rule.seconds)
            self._clock.after(rule.seconds, self._catch_up)
        self._deliver(line)
        if fault is Fault.WATCH_DOUBLE:
            self._deliver(line)

    def _deliver(self, line: bytes) -> None:
        if self._late_until > self._clock.now or self._waiting:
            self._waiting.append(line)
        else:
            self._write(line)

    def _catch_up(self) -> None:
        if self._late_until <= self._clock.now:
            waiting, self._waiting = self._waiting, []
            for line in waiting:
                self._write(line)

    def _write(self, line: bytes) -> None:
        if not self.open or self.silent:
            return
        if self._send:
            self._send(line)
        else:
            self._held.append(line)

    def gone(self, message: str) -> None:
        """Report that the version of the watch has expired, and end the stream.

        The error is an event in the stream, as a real server sends it.
        """
        self._write(_line("ERROR", as_json(status_object(410, "Expired", message))))
        self.close()

    def bookmark(self, number: int) -> None:
        if self._bookmarks and not self._waiting:
            obj: dict[str, Any] = {
                "kind": self.resource.kind,
                "apiVersion": self.resource.api_version,
            }
            self._write(
                _line(
                    "BOOKMARK",
                    as_json(
                        obj
                        | {"metadata": {"resourceVersion": str(number), "creationTimestamp": None}}
                    ),
                )
            )

    def _regular_bookmark(self) -> None:
        if self.open:
            self.bookmark(self._number)
            self._clock.after(BOOKMARK_SECONDS, self._regular_bookmark)


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), obj)
