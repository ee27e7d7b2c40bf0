"""What the workload asks for while it runs: inputs to fetch, artifacts to deliver. One at a time, on a thread of its own.

The workload has no token; it names files, and this process, which has one, moves them.
"""

import hashlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from jobs.contract import FailureReason
from jobs.worker.client import Client, Fenced, Refused, Unreachable
from jobs.worker.stopping import Stop

PATIENCE_SECONDS = 3600.0  # the attempt's own time limit comes first
PIECE_BYTES = 1024 * 1024


class Transfers(threading.Thread):
    """Answers calls of the workload: {"answer": n, "path" | "sha256" | "error": {"reason", "message"}}."""

    def __init__(self, client: Client, stop: Stop, *, folder: Path, answer: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(name="transfers", daemon=True)
        self._client, self._stop, self._folder, self._answer = client, stop, folder, answer
        self._calls: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def put(self, call: dict[str, Any]) -> None:
        """Take a call: {"call": n, "fetch": name} or {"call": n, "artifact": path, "name", "role", "media_type"}."""
        self._calls.put(call)

    def end(self) -> None:
        """No more calls."""
        self._client.stop.set()
        self._calls.put(None)

    def run(self) -> None:
        """Until `end`."""
        while (call := self._calls.get()) is not None:
            try:
                answer = self._fetch(call) if "fetch" in call else self._deliver(call)
            except Fenced:
                self._stop.fence()
                return
            except Refused as refused:
                answer = _error(_reason(refused), refused.message or refused.code)
            except Unreachable as error:
                answer = _error(FailureReason.WORKER_LOST, f"The orchestrator could not be reached: {error}")
            except OSError as error:
                answer = _error(FailureReason.DISK_FULL, f"A file could not be written: {error.strerror}")
            self._answer({"answer": call.get("call"), **answer})

    def _fetch(self, call: dict[str, Any]) -> dict[str, Any]:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / hashlib.sha256(str(call["fetch"]).encode()).hexdigest()[:32]
        with path.open("wb") as file:
            self._client.get_input(str(call["fetch"]), file, patience_seconds=PATIENCE_SECONDS)
        return {"path": str(path)}

    def _deliver(self, call: dict[str, Any]) -> dict[str, Any]:
        descriptor = os.open(str(call["artifact"]), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            digest, size = _digest(file)
            self._client.put_artifact(
                str(call["name"]),
                file,
                size_bytes=size,
                sha256=digest,
                role=str(call["role"]),
                media_type=str(call["media_type"]),
                patience_seconds=PATIENCE_SECONDS,
            )
        return {"sha256": digest, "size_bytes": size}


def _digest(file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _reason(refused: Refused) -> FailureReason:
    if refused.code == FailureReason.ARTIFACT_LIMIT_EXCEEDED:
        return FailureReason.ARTIFACT_LIMIT_EXCEEDED
    return FailureReason.PROTOCOL


def _error(reason: FailureReason, message: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": message}}
