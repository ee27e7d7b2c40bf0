"""Local copy of a cluster's Jobs, Pods and events, kept current by a list and a watch.

A mirror may be stale, but never ahead: an object shown as ended has ended, while an object that is
not shown may exist. Code that acts on an absence queries the API server first
(`launcher.is_gone`). After status 410, an error in the stream, or silence, a mirror lists again.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from random import uniform

import structlog

from jobs.clusters.launchers.kubernetes.client import Api, Away, Query, Refused
from jobs.clusters.launchers.kubernetes.shared_parts import SharedParts
from jobs.diagnosis.kubernetes.objects import Object, at, items

log = structlog.get_logger(__name__)
WATCH_SECONDS = (240.0, 300.0)
SILENCE_SECONDS = 90.0  # an API server sends a bookmark every minute
RETRY_SECONDS = 1.0
# Start of a change in the stream: its type, and the name and version of its object. The rest of the
# line is parsed on the next read of the mirror.
_HEAD = re.compile(
    rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":\{"kind":"[A-Za-z]+",'
    rb'"apiVersion":"[a-z0-9./]+","metadata":\{"name":"([^"\\]+)"'
    rb'(?:,"generateName":"[^"\\]*")?(?:,"namespace":"[^"\\]*")?(?:,"uid":"[^"\\]*")?'
    rb',"resourceVersion":"([0-9]+)"[,}]'
)


class ListAgain(Exception):
    """The watch cannot continue from its resource version."""


class Mirror:
    """Objects of one resource by name, reduced by `cut`.

    `group` returns the group of an object. `in_group` finds the objects of a group by an index.
    Calls `changed` after each change with the name of the object (empty: any may have changed) and
    its line in the watch stream, None for a deleted object.
    """

    def __init__(
        self,
        api: Api,
        resource: str,
        query: Query,
        cut: Callable[[Object], Object | None],
        changed: Callable[[str, bytes | None], None],
        group: Callable[[Object], str],
    ) -> None:
        self.resource = resource
        self.error: OSError | None = None
        self.lists = 0  # count of lists begun
        self._api, self._query, self._cut, self._changed = api, dict(query), cut, changed
        self._group = group
        self._objects: dict[str, Object] = {}
        self._groups: dict[str, dict[str, Object]] = {}  # the same objects
        self._parts = SharedParts()
        # Lines of the watch since the last read; None for a deleted object.
        self._fresh: dict[str, bytes | None] = {}
        self._broken = False  # one of these lines could not be parsed
        self._version = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def objects(self) -> dict[str, Object]:
        """Return all objects as of now. Raises: OSError while the cluster does not answer."""
        self._check()
        with self._lock:
            self._take_in()
            return dict(self._objects)

    def _check(self) -> None:
        if self.error is not None:
            raise Away(f"{self.resource}: {self.error}") from self.error

    def _take_in(self) -> None:
        """Parse and cut the new lines. The caller holds the lock.

        Of an object that changed several times between two reads, only the last state is parsed.
        """
        fresh, self._fresh = self._fresh, {}
        for name, line in fresh.items():
            try:
                kept = self._cut(at(_parsed(line), "object")) if line is not None else None
            except ListAgain:
                self._broken = True  # the object stays unchanged until the list that follows
                continue
            self._put(name, None if kept is None else self._parts.of(kept))

    def _put(self, name: str, kept: Object | None) -> None:
        """Replace or remove one object. The caller holds the lock."""
        before = self._objects.get(name)
        if before is not None:
            group = self._group(before)
            del self._groups[group][name]
            if not self._groups[group]:
                del self._groups[group]
        if kept is None:
            self._objects.pop(name, None)
        else:
            self._objects[name] = kept
            self._groups.setdefault(self._group(kept), {})[name] = kept

    def in_group(self, group: str) -> list[Object]:
        """Return the objects of a group as of now. Raises: as `objects`."""
        self._check()
        with self._lock:
            self._take_in()
            return list(self._groups.get(group, {}).values())

    def get(self, name: str) -> Object | None:
        """Return one object, which may be stale; None if the mirror has none of that name."""
        with self._lock:
            self._take_in()
            return self._objects.get(name)

    def list(self) -> None:
        """List all objects again. Raises: OSError; the mirror then stays unchanged."""
        found: dict[str, Object] = {}
        parts = SharedParts()  # the earlier parts are freed with their objects
        self.lists += 1
        version = ""
        for page in self._api.pages(self._api.path(self.resource), self._query):
            version = str(at(page, "metadata").get("resourceVersion") or version)
            for each in items(page.get("items")):
                reduced = self._cut(each)
                if reduced is not None:
                    found[str(at(each, "metadata")["name"])] = parts.of(reduced)
            del page  # before the next one is parsed
        with self._lock:
            self._objects, self._groups, self._parts, self._fresh = {}, {}, parts, {}
            for name, kept in found.items():
                self._put(name, kept)
            self._version, self._broken = version, False
        self.error = None
        self._changed("", None)

    def watch(self, seconds: float) -> None:
        """Follow the changes since the last list or watch, for at most `seconds`.

        Raises: ListAgain, OSError.
        """
        watch_query = {
            **self._query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": max(1, int(seconds)),
        }
        try:
            for line in self._api.lines(
                self._api.path(self.resource), watch_query, silence_seconds=SILENCE_SECONDS
            ):
                self._apply(line)
                if self._stop.is_set():
                    return
        except Refused as refused:
            if refused.answer.status == 410:
                raise ListAgain("410") from refused
            raise Away(str(refused)) from refused

    def _apply(self, line: bytes) -> None:
        if self._broken:
            raise ListAgain("the watch stream holds a line that cannot be parsed")
        head = _HEAD.match(line)
        if head is not None and line.endswith(b"}}"):
            kind, name, version = head.group(1), head.group(2).decode(), head.group(3).decode()
            self._keep(name, line if kind != b"DELETED" else None, version)
            return
        event = _parsed(line)
        kind, each = event.get("type"), at(event, "object")
        if kind == "ERROR":
            raise ListAgain(str(each.get("message") or each.get("code")))
        metadata = at(each, "metadata")
        version = str(metadata.get("resourceVersion") or "")
        if kind == "BOOKMARK":
            self._version = version or self._version
            return
        self._keep(
            str(metadata.get("name") or ""),
            line if kind in ("ADDED", "MODIFIED") else None,
            version or self._version,
        )

    def _keep(self, name: str, line: bytes | None, version: str) -> None:
        with self._lock:
            self._fresh[name] = line
            self._version = version
        self._changed(name, line)

    def follow(self) -> None:
        """Watch on a separate thread until `stop`. Call `list` first."""
        self._thread = threading.Thread(
            target=self._run, name=f"watch {self.resource}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Make the thread end after its next event; do not wait for that."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if self.error is not None:
                    self.list()
                self.watch(uniform(*WATCH_SECONDS))  # noqa: S311 - spreads the reconnects
                self._list_again()  # only a list finds a lost event
            except ListAgain as again:
                log.info(
                    "watch cannot continue: listing again",
                    resource=self.resource,
                    reason=str(again),
                )
                self._list_again()
            except OSError as error:
                log.warning(
                    "watch broke: listing again", resource=self.resource, error=str(error)[:300]
                )
                self._list_again()
            except Exception:
                log.exception("watch failed: listing again", resource=self.resource)
                self._list_again()
            if time.monotonic() - began < RETRY_SECONDS:
                # Back-off for a server that ends every watch at once.
                self._stop.wait(RETRY_SECONDS)

    def _list_again(self) -> None:
        try:
            self.list()
        # The thread survives any error: a stopped mirror would look like an unchanged cluster.
        except Exception as error:
            self.error = (
                error if isinstance(error, OSError) else Away(f"{type(error).__name__}: {error}")
            )
            self._changed("", None)
            self._stop.wait(RETRY_SECONDS)


def _parsed(line: bytes) -> Object:
    try:
        event = json.loads(line)
    except ValueError:
        raise ListAgain("invalid JSON in the watch stream") from None
    if not isinstance(event, dict):
        raise ListAgain("the watch stream holds a line that is not an event")
    return event
