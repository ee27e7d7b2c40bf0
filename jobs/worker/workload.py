"""`python -m jobs.worker.workload`: the process in which a job's work is done. Knows no token and no address; asks its supervisor.

It may die at any moment, by its own fault or by the supervisor's hand; what it says last, or its exit, becomes the attempt's end.
"""

import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from jobs.contract import EventKind, FailureReason, JobType
from jobs.worker import family
from jobs.worker.channel import DESCRIPTOR_VARIABLE, Channel


class WorkFailed(Exception):
    """The work failed in a way we can name. `detail` holds the facts of docs/worker-protocol.md."""

    def __init__(self, reason: FailureReason, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.detail = {key: value for key, value in detail.items() if value is not None}


class Terminated(BaseException):
    """SIGTERM came: stop in order."""


class Orders:
    """What the workload was given, and its calls to the supervisor. One thread uses it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._calls = 0
        given = channel.receive()
        if given is None:
            raise SystemExit(0)  # the attempt was not ours to run
        self.job: dict[str, Any] = given["job"]
        self.limits: dict[str, Any] = given["limits"]
        self.inputs: list[dict[str, Any]] = given["inputs"]
        self.read_url_allow: list[str] = given["read_url_allow"]
        self.data_dir = Path(os.environ["MIMIR_DATA_DIR"])

    def event(self, kind: EventKind, **data: Any) -> None:
        """Report an event; None is left out."""
        self._channel.send({"event": kind, "data": {key: value for key, value in data.items() if value is not None}})

    def fetch(self, name: str) -> Path:
        """The bytes of an input, in a file. Raises: WorkFailed."""
        return Path(str(self._call(fetch=name)["path"]))

    def deliver(self, path: Path, *, name: str, role: str, media_type: str) -> None:
        """Upload a file as an artifact; returns when the orchestrator has it. Raises: WorkFailed."""
        self._call(artifact=str(path), name=name, role=role, media_type=media_type)

    def done(self, **verdict: Any) -> None:
        """The last word."""
        self._channel.send({"done": verdict})

    def _call(self, **call: Any) -> dict[str, Any]:
        self._calls += 1
        self._channel.send({"call": self._calls, **call})
        while True:
            answer = self._channel.receive()
            if answer is None:
                raise SystemExit(1)  # the supervisor is gone: so are we
            if answer.get("answer") == self._calls:
                break
        if "error" in answer:
            raise WorkFailed(FailureReason(answer["error"]["reason"]), str(answer["error"]["message"]))
        return answer


def main() -> int:
    """Wait for the job, do it, say what came of it."""
    family.die_with_parent()
    descriptor = int(os.environ.pop(DESCRIPTOR_VARIABLE))
    os.set_inheritable(descriptor, False)
    orders = Orders(Channel(socket.socket(fileno=descriptor)))
    signal.signal(signal.SIGTERM, _terminated)
    try:
        orders.done(status="succeeded", result=_run(orders))
    except WorkFailed as failure:
        _report(orders, failure)
    except MemoryError:
        _report(orders, WorkFailed(FailureReason.OUT_OF_MEMORY, ""))
    except Terminated:
        return 128 + signal.SIGTERM
    except Exception as error:
        traceback.print_exc()
        _report(orders, WorkFailed(FailureReason.WORKLOAD_FAILED, f"{type(error).__name__}: {error}"[:1000]))
    return 0


def _run(orders: Orders) -> dict[str, Any]:
    if orders.job["type"] == JobType.PIPELINE_EXECUTION:
        from jobs.worker.pipelines.runner import run_pipeline

        return run_pipeline(orders)
    raise WorkFailed(FailureReason.PROTOCOL, f"This worker does not run {orders.job['type']}.")


def _report(orders: Orders, failure: WorkFailed) -> None:
    """People find the cause in the log too."""
    if failure.message:
        print(f"mimir: {failure.message}", file=sys.stderr, flush=True)
    orders.done(status="failed", reason=failure.reason, message=failure.message, detail=failure.detail)


def _terminated(_number: int, _frame: Any) -> None:
    raise Terminated


if __name__ == "__main__":
    # One module, one set of classes: run as `__main__` and imported by the steps it would be two.
    from jobs.worker import workload

    sys.exit(workload.main())
