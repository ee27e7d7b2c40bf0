"""Job, inputs and supervisor calls of a workload. The supervisor holds the token."""

from pathlib import Path
from typing import Any

from jobs.contract import EventKind, FailureReason
from jobs.worker.channel import Channel


class WorkFailed(Exception):
    """Failure with a known reason. `detail`: see docs/reference/worker-protocol.md."""

    def __init__(self, reason: FailureReason, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.detail = {key: value for key, value in detail.items() if value is not None}


class Terminated(BaseException):
    """SIGTERM was received."""


class WorkloadContext:
    """Job of the workload and calls to its supervisor. Used by one thread."""

    def __init__(self, channel: Channel, data_dir: Path) -> None:
        self._channel = channel
        self._calls = 0
        given = channel.receive()
        if given is None:
            raise SystemExit(0)  # this worker did not get the attempt
        self.job: dict[str, Any] = given["job"]
        self.limits: dict[str, Any] = given["limits"]
        self.inputs: list[dict[str, Any]] = given["inputs"]
        self.read_url_allow: list[str] = given["read_url_allow"]
        self.data_dir = data_dir

    def event(self, kind: EventKind, **data: Any) -> None:
        """Report an event; fields that are None are omitted."""
        self._channel.send(
            {
                "event": kind,
                "data": {key: value for key, value in data.items() if value is not None},
            }
        )

    def fetch(self, name: str) -> Path:
        """Return a file with the bytes of an input. Raises: WorkFailed."""
        return Path(str(self._call(fetch=name)["path"]))

    def deliver(self, path: Path, *, name: str, role: str, media_type: str) -> None:
        """Upload a file as an artifact; return when it is stored. Raises: WorkFailed."""
        self._call(artifact=str(path), name=name, role=role, media_type=media_type)

    def done(self, **verdict: Any) -> None:
        """Report the end of the work. Nothing can be sent afterwards."""
        self._channel.send({"done": verdict})

    def _call(self, **call: Any) -> dict[str, Any]:
        self._calls += 1
        self._channel.send({"call": self._calls, **call})
        while True:
            answer = self._channel.receive()
            if answer is None:
                raise SystemExit(1)  # the supervisor is gone, so the workload ends
            if answer.get("answer") == self._calls:
                break
        if "error" in answer:
            raise WorkFailed(
                FailureReason(answer["error"]["reason"]), str(answer["error"]["message"])
            )
        return answer
