"""Inputs and artifacts of the running workload, transferred one at a time on their own thread.

The workload has no token: it names files, and the supervisor transfers them.
"""

import hashlib
import os
import queue
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypedDict

from jobs.contract import FailureReason, WorkerLimits
from jobs.contract.protocol import ClaimedInput
from jobs.worker.background_thread import BackgroundThread
from jobs.worker.client import (
    Client,
    ContentChanged,
    Fenced,
    FileChanged,
    FileTrouble,
    Refused,
    Unreachable,
)
from jobs.worker.modelcache import ModelCache
from jobs.worker.stopping import Stop
from mimir.lib.json_types import JsonObject

PIECE_BYTES = 1024 * 1024


class Fetched(TypedDict):
    """Answer to `fetch`: the file with the bytes of the input."""

    path: str


class Delivered(TypedDict):
    """Answer to a call that stored an artifact."""

    sha256: str
    size_bytes: int


class TransferError(TypedDict):
    """Reason and message of a failed transfer."""

    reason: FailureReason
    message: str


class Failed(TypedDict):
    """Answer to a failed transfer."""

    error: TransferError


Answer = Fetched | Delivered | Failed


class Transfers(BackgroundThread):
    """Answers calls of the workload.

    An answer is {"answer": n} with the fields of `Fetched`, `Delivered` or `Failed`.
    """

    def __init__(
        self,
        client: Client,
        stop: Stop,
        *,
        limits: WorkerLimits,
        data_dir: Path,
        answer: Callable[[Mapping[str, object]], None],
        inputs: Sequence[ClaimedInput] = (),
        models: ModelCache | None = None,
    ) -> None:
        super().__init__("transfers", stop)
        self._inputs, self._models = {item["name"]: item for item in inputs}, models
        self._client, self._limits, self._data_dir, self._answer = client, limits, data_dir, answer
        self._calls: queue.Queue[JsonObject] = queue.Queue()
        self._delivered_bytes = 0
        # Retries last until the job's time limit.
        self._patience = float(limits.timeout_seconds)

    def put(self, call: JsonObject) -> None:
        """Queue a call.

        {"call": n, "fetch": name} or {"call": n, "artifact": path, "name", "role", "media_type"}.
        """
        self._calls.put(call)

    def work(self) -> None:
        """Answer calls for the lifetime of the attempt."""
        while True:
            call = self._calls.get()
            try:
                answer = self._answered(call)
            except Fenced:
                self.halt.fence()
                return
            self._answer({"answer": call.get("call"), **answer})

    def _answered(self, call: JsonObject) -> Answer:
        try:
            return self._fetch(str(call["fetch"])) if "fetch" in call else self._deliver(call)
        except Fenced:
            raise
        except Refused as refused:
            return _error(self._reason(call, refused), refused.message or refused.code)
        except ContentChanged:
            return _error(self._changed(call), self._what_changed(call))
        except Unreachable as error:
            return _error(
                FailureReason.WORKER_LOST, f"The orchestrator could not be reached: {error}"
            )
        except (FileTrouble, FileChanged) as error:
            reason = FailureReason.DISK_FULL if "fetch" in call else FailureReason.WORKLOAD_FAILED
            return _error(reason, f"{_what(call)}: {error}")

    def _fetch(self, name: str) -> Answer:
        path = self._data_dir / "fetched" / hashlib.sha256(name.encode()).hexdigest()[:32]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w+b") as file:
                self._fill(name, file)
        except OSError as error:
            raise FileTrouble(error) from error
        return {"path": str(path)}

    def _fill(self, name: str, file: IO[bytes]) -> None:
        """Write the bytes of an input into `file`; those of a model from the cache if possible.

        A model must match the size and checksum of the claim, whatever later answers say.
        """
        facts = self._inputs.get(name)
        if facts is None or facts["kind"] != "model":
            self._client.get_input(name, file, patience_seconds=self._patience)
            return
        sha256, size = facts["sha256"], facts["size_bytes"]
        if self._models is not None and self._models.load(sha256, size, file):
            return
        self._client.get_input(name, file, patience_seconds=self._patience)
        file.seek(0)
        if _digest(file) != (sha256, size):
            raise ContentChanged(name)
        if self._models is not None:
            self._models.keep(sha256, size, file)

    def _changed(self, call: JsonObject) -> FailureReason:
        found = self._inputs.get(str(call.get("fetch")))
        is_model = found is not None and found["kind"] == "model"
        return FailureReason.MODEL_CORRUPT if is_model else FailureReason.INVALID_INPUT

    def _what_changed(self, call: JsonObject) -> str:
        facts: Mapping[str, object] = self._inputs.get(str(call.get("fetch"))) or {}
        kind = str(facts.get("kind", "input"))
        what = f"{facts.get(kind, call.get('fetch'))} version {facts.get('version', '?')}"
        again = (
            "Train it again, or use another version"
            if kind == "model"
            else "Upload it again, or use another version"
        )
        return (
            f"The file of {kind} {what} is not the one that was stored: its checksum differs. "
            f"{again}, and contact an administrator."
        )

    def _reason(self, call: JsonObject, refused: Refused) -> FailureReason:
        if refused.code == FailureReason.ARTIFACT_LIMIT_EXCEEDED:
            return FailureReason.ARTIFACT_LIMIT_EXCEEDED
        if refused.code in ("content_missing", "content_changed"):
            return self._changed(call)
        return FailureReason.PROTOCOL

    def _deliver(self, call: JsonObject) -> Answer:
        with self._opened(str(call["artifact"])) as file:
            if (
                self._delivered_bytes + os.fstat(file.fileno()).st_size
                > self._limits.artifact_bytes
            ):
                # Checked before the file is read: a sparse file can claim any size.
                limit = (
                    "the artifacts of an attempt can have at most "
                    f"{self._limits.artifact_bytes} bytes in total (ARTIFACT_BYTES_MAX)"
                )
                return _error(
                    FailureReason.ARTIFACT_LIMIT_EXCEEDED, f"{call['name']} is too large: {limit}."
                )
            digest, size = _digest(file)
            self._client.put_artifact(
                str(call["name"]),
                file,
                size_bytes=size,
                sha256=digest,
                role=str(call["role"]),
                media_type=str(call["media_type"]),
                patience_seconds=self._patience,
            )
        self._delivered_bytes += size
        return {"sha256": digest, "size_bytes": size}

    def _opened(self, path: str) -> IO[bytes]:
        """Open a regular file below the scratch folder.

        User code may replace it with a link to a file that only this process can read.
        """
        try:
            file = os.fdopen(
                os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
            )
        except OSError as error:
            raise FileTrouble(error) from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or not self._is_scratch(file.fileno()):
            file.close()
            raise FileChanged("it is no longer a file of this job")
        return file

    def _is_scratch(self, descriptor: int) -> bool:
        found = os.readlink(f"/proc/self/fd/{descriptor}")
        return Path(found).is_relative_to(self._data_dir.resolve())


def _what(call: JsonObject) -> str:
    return (
        f"The input {call['fetch']} could not be stored"
        if "fetch" in call
        else f"The artifact {call['name']} could not be read"
    )


def _digest(file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    except OSError as error:
        raise FileTrouble(error) from error
    return digest.hexdigest(), size


def _error(reason: FailureReason, message: str) -> Failed:
    return {"error": {"reason": reason, "message": message}}
