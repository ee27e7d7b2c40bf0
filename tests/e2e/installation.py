"""Installation as seen by a signed-in user: the public API on the frontend."""

import time
import uuid
from typing import Any

from tests.e2e.cluster import Namespace
from tests.e2e.forward import Forward

PROJECT, ENDED = "e2e", ("succeeded", "failed", "cancelled")


class Installation:
    """API of an installation for a signed-in user."""

    def __init__(self, namespace: Namespace, way: Forward, token: str) -> None:
        self.namespace, self.way = namespace, way
        way.client.headers["Authorization"] = f"Bearer {token}"

    def json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Return the body of a response. Raises: AssertionError unless it is a success."""
        answer = self.way.call(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def submit(self, command: str, **fields: Any) -> str:
        """Submit a job that runs a shell command, and return its id."""
        name = f"p{uuid.uuid4().hex[:8]}"
        steps = [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", command]}}]
        self.json(
            "POST",
            f"/api/v1/projects/{PROJECT}/pipelines/",
            json={"name": name, "definition": {"steps": steps}},
        )
        body = {"type": "pipeline_execution", "parameters": {"pipeline": name}, **fields}
        return str(
            self.json(
                "POST",
                f"/api/v1/projects/{PROJECT}/jobs/",
                json=body,
                headers={"Idempotency-Key": uuid.uuid4().hex},
            )["id"]
        )

    def job(self, job: str) -> dict[str, Any]:
        """Return the current state of a job."""
        return self.json("GET", f"/api/v1/jobs/{job}/")

    def wait(self, job: str, *statuses: str, seconds: float = 600.0) -> dict[str, Any]:
        """Wait until a job has one of these statuses, and return it.

        Raises: AssertionError, if it ended with another status or not in time.
        """
        end = time.monotonic() + seconds
        while (shown := self.job(job))["status"] not in statuses:
            assert shown["status"] not in ENDED, (
                f"it {shown['status']}: {shown['reason']} {shown['message']}"
            )
            assert time.monotonic() < end, (
                f"after {seconds:.0f} s it is {shown['status']}: {shown['message']}"
            )
            time.sleep(1)
        return shown

    def printed(self, job: str, text: bytes, seconds: float = 300.0) -> None:
        """Wait until the log of a job has a text.

        Raises: AssertionError, if the job ends without it or does not print it in time.
        """
        end = time.monotonic() + seconds
        while True:
            shown = self.job(job)
            answer = self.way.call("GET", f"/api/v1/jobs/{job}/logs/", params={"format": "raw"})
            if text in answer.content:
                return
            where = f"{shown['status']}: {shown['message']}; its log is {answer.content[-500:]!r}"
            assert shown["status"] not in ENDED, f"it has not printed {text!r}: {where}"
            assert time.monotonic() < end, (
                f"it has not printed {text!r} within {seconds:.0f} s: {where}"
            )
            time.sleep(1)

    def whole_log(self, job: str, seconds: float = 120.0) -> bytes:
        """Return the complete log of an ended job's newest attempt. Raises: AssertionError."""
        end = time.monotonic() + seconds
        while True:
            answer = self.way.call("GET", f"/api/v1/jobs/{job}/logs/", params={"format": "raw"})
            if answer.headers.get("Log-Complete") == "true":
                return answer.content
            assert time.monotonic() < end, f"its log is not complete: {answer.content[-500:]!r}"
            time.sleep(1)

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """Return the attempts of a job."""
        found: list[dict[str, Any]] = self.json("GET", f"/api/v1/jobs/{job}/attempts/")["results"]
        return found
