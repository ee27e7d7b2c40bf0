"""What a cluster shows, kept up to date by a list and then a watch: Jobs and Pods of this installation, and events about them.

A mirror may be late, and never ahead: what it shows as ended has ended, but what it does not show may be there. Who acts on an absence asks
the API server first (`launcher.is_gone`). 410, an error in the stream, or silence mean: list again.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from random import uniform
from typing import Any

import structlog

from jobs.clusters.launchers.kubernetes.client import Api, Away, Query, Refused

log = structlog.get_logger(__name__)
Object = Mapping[str, Any]
WATCH_SECONDS = (240.0, 300.0)
SILENCE_SECONDS = 90.0  # an API server sends a bookmark each minute
RETRY_SECONDS = 1.0
# How an API server begins a change: by its type, and its object's name and version. What follows is read when somebody looks.
_HEAD = re.compile(
    rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":\{"kind":"[A-Za-z]+","apiVersion":"[a-z0-9./]+","metadata":\{"name":"([^"\\]+)"'
    rb'(?:,"generateName":"[^"\\]*")?(?:,"namespace":"[^"\\]*")?(?:,"uid":"[^"\\]*")?,"resourceVersion":"([0-9]+)"[,}]'
)


class ListAgain(Exception):
    """The watch cannot go on from where it was."""


class Mirror:
    """The objects of one resource by name, each as `cut` leaves it. `changed` is called after each change."""

    def __init__(
        self,
        api: Api,
        resource: str,
        query: Query,
        cut: Callable[[Object], Object | None],
        changed: Callable[[], None],
    ) -> None:
        self.resource = resource
        self.error: OSError | None = None
        self.lists = 0  # how many were begun
        self._api, self._query, self._cut, self._changed = api, dict(query), cut, changed
        self._objects: dict[str, Object] = {}
        self._fresh: dict[
            str, bytes | None
        ] = {}  # the lines that the watch brought since somebody looked; None: it is gone
        self._broken = False  # one of them could not be read
        self._version = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def objects(self) -> dict[str, Object]:
        """All of them as of now. Raises: OSError while the cluster does not answer."""
        if self.error is not None:
            raise Away(f"{self.resource}: {self.error}") from self.error
        with self._lock:
            self._take_in()
            return dict(self._objects)

    def _take_in(self) -> None:
        """Read and cut what came, under the lock. Of an object that changed ten times between two looks only the last state is read."""
        fresh, self._fresh = self._fresh, {}
        for name, line in fresh.items():
            try:
                kept = self._cut(_parsed(line).get("object") or {}) if line is not None else None
            except ListAgain:
                self._broken = True  # it stays as it was until the list that follows
                continue
            if kept is None:
                self._objects.pop(name, None)
            else:
                self._objects[name] = kept

    def get(self, name: str) -> Object | None:
        """One of them, perhaps late."""
        with self._lock:
            self._take_in()
            return self._objects.get(name)

    def list(self) -> None:
        """Read all of them anew. Raises: OSError; what was known stays."""
        found: dict[str, Object] = {}
        self.lists += 1
        version = ""
        for page in self._api.pages(self._api.path(self.resource), self._query):
            version = page.get("metadata", {}).get("resourceVersion", "") or version
            for each in page.get("items") or ():
                kept = self._cut(each)
                if kept is not None:
                    found[each["metadata"]["name"]] = kept
        with self._lock:
            self._objects, self._fresh, self._version, self._broken = found, {}, version, False
        self.error = None
        self._changed()

    def watch(self, seconds: float) -> None:
        """Follow the changes since the last list or watch, for at most `seconds`. Raises: ListAgain, OSError."""
        asked = {
            **self._query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": max(1, int(seconds)),
        }
        try:
            for line in self._api.lines(
                self._api.path(self.resource), asked, silence_seconds=SILENCE_SECONDS
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
            raise ListAgain("a line of the stream could not be read")
        head = _HEAD.match(line)
        if head is not None and line.endswith(b"}}"):
            kind, name, version = head.group(1), head.group(2).decode(), head.group(3).decode()
            self._keep(name, line if kind != b"DELETED" else None, version)
            return
        event = _parsed(line)
        kind, each = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise ListAgain(str(each.get("message") or each.get("code")))
        metadata = each.get("metadata") or {}
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
        self._changed()

    def follow(self) -> None:
        """Watch on a thread of its own until `stop`. The first list has to be made before."""
        self._thread = threading.Thread(
            target=self._run, name=f"watch {self.resource}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread at its next sign of life; nobody waits for it."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if self.error is not None:
                    self.list()
                self.watch(uniform(*WATCH_SECONDS))  # noqa: S311 - so that not all clients come back at once
                self._list_again()  # an event that never came is found by nothing else
            except ListAgain as again:
                log.info(
                    "a watch cannot go on: listing again", resource=self.resource, why=str(again)
                )
                self._list_again()
            except OSError as error:
                log.warning(
                    "a watch broke: listing again", resource=self.resource, error=str(error)[:300]
                )
                self._list_again()
            except Exception:
                log.exception("a watch failed: listing again", resource=self.resource)
                self._list_again()
            if time.monotonic() - began < RETRY_SECONDS:
                self._stop.wait(
                    RETRY_SECONDS
                )  # a server that ends every watch at once is not asked without a pause

    def _list_again(self) -> None:
        try:
            self.list()
        except Exception as error:  # whatever it is, the thread goes on: a mirror that stands still would look like a cluster that does
            self.error = (
                error if isinstance(error, OSError) else Away(f"{type(error).__name__}: {error}")
            )
            self._changed()
            self._stop.wait(RETRY_SECONDS)


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        raise ListAgain("a line of the stream is no JSON") from None
    if not isinstance(event, dict):
        raise ListAgain("a line of the stream is no event")
    return event
