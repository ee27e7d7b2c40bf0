"""Workers of the scale benchmark: threads that call the worker API for each container."""

import hashlib
import http.client
import json
import threading
import time
import uuid
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.ledger import Run

WORKER_THREADS, POLL_SECONDS = 8, 0.1
EMPTY_LOG = hashlib.sha256(b"").hexdigest()


class Workers:
    """Threads that act as the worker of every container that the cluster runs.

    `seconds`: durations of the calls by name, without refused ones.
    """

    def __init__(self, fake: FakeKubernetes, stop: threading.Event) -> None:
        self._fake, self._stop = fake, stop
        self._runs: SimpleQueue[Run | None] = SimpleQueue()
        self.seconds: dict[str, list[float]] = {
            name: [] for name in ("claim", "heartbeat", "finish-with-events")
        }
        self.threads = [
            threading.Thread(target=self._find, daemon=True),
            *(threading.Thread(target=self._act, daemon=True) for _ in range(WORKER_THREADS)),
        ]

    def _find(self) -> None:
        known: set[str] = set()
        while not self._stop.is_set():
            running = self._fake.ledger(running=True, env=True)
            for run in running:
                if run.pod_uid not in known:
                    self._runs.put(run)
            known = {run.pod_uid for run in running}
            time.sleep(POLL_SECONDS)
        for _ in range(WORKER_THREADS):
            self._runs.put(None)

    def _act(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while (run := self._runs.get()) is not None:
            if connection is None:
                parts = urlsplit(run.env["ORCHESTRATOR_URL"])
                connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
            self._fake.exit(run.pod, 0 if self._work(connection, run) else 3)

    def _work(self, connection: http.client.HTTPConnection, run: Run) -> bool:
        """Act as the worker of a job without output; return whether its success was accepted.

        A worker with a short job has one request for its last events and its finish.
        """
        claim = {"claim_id": str(uuid.uuid4()), "hostname": run.pod}
        answer = self._post(connection, run, "claim", run.env["JOB_TOKEN"], claim)
        if answer is None or not answer["finish_takes_events"]:
            return False
        token = str(answer["session_token"])
        usage = {"memory_bytes": 1, "peak_memory_bytes": 1, "cpu_millicores": 1}
        self._post(connection, run, "heartbeat", token, usage)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event = {"n": 1, "at": at, "kind": "progress", "data": {"fraction": 1.0, "message": ""}}
        finish = {**_FINISH, "events": [event]}
        return self._post(connection, run, "finish-with-events", token, finish) is not None

    def _post(
        self, connection: http.client.HTTPConnection, run: Run, name: str, token: str, body: Any
    ) -> dict[str, Any] | None:
        """POST until the response is not an overload; return None if the attempt is over."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body)
        while True:
            path = f"/worker/v1/attempts/{run.attempt_id}/{name}"
            began = time.perf_counter()
            try:
                connection.request("POST", path, data, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.5)
                continue
            if response.status in (429, 503):
                time.sleep(float(response.getheader("Retry-After") or 1))
                continue
            if response.status != 200:
                return None
            self.seconds[name].append(time.perf_counter() - began)
            found: dict[str, Any] = json.loads(content)
            return found


_FINISH = {
    "status": "succeeded",
    "reason": "",
    "message": "",
    "detail": {},
    "result": {"outputs": [], "steps": []},
    "exit": {"code": 0, "signal": None},
    "peak_memory_bytes": 1,
    "log_end": 0,
    "log_sha256": EMPTY_LOG,
}
