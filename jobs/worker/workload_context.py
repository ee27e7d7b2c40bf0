"""Job, inputs and supervisor calls of a workload. The supervisor holds the token."""

from pathlib import Path
from typing import cast

from jobs.contract import EventKind, FailureReason
from jobs.contract.protocol import ClaimedInput, ClaimedJob, LimitsBody, WorkloadBody
from jobs.worker.channel import Channel
from mimir.lib.json_types import Json, JsonObject


class WorkFailed(Exception):
    """Failure with a known reason. `detail`: see docs/reference/worker-protocol.md."""

    def __init__(self, reason: FailureReason, message: str, **detail: Json) -> None:
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
        received = channel.receive()
        if received is None:
            raise SystemExit(0)  # this worker did not get the attempt
        body = cast("WorkloadBody", received)
        self.job: ClaimedJob = body["job"]
        self.limits: LimitsBody = body["limits"]
        self.inputs: list[ClaimedInput] = body["inputs"]
        self.read_url_allow: list[str] = body["read_url_allow"]
        self.data_dir = data_dir

    def event(self, kind: EventKind, **data: Json) -> None:
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

    def done(self, **verdict: object) -> None:
        """Report the end of the work. Nothing can be sent afterwards."""
        self._channel.send({"done": verdict})

    def _call(self, **call: str) -> JsonObject:
        self._calls += 1
        self._channel.send({"call": self._calls, **call})
        while True:
            answer = self._channel.receive()
            if answer is None:
                raise SystemExit(1)  # the supervisor is gone, so the workload ends
            if answer.get("answer") == self._calls:
                break
        error = answer.get("error")
        if isinstance(error, dict):
            raise WorkFailed(FailureReason(str(error["reason"])), str(error["message"]))
        return answer
