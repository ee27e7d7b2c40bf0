"""Reader of the API during the scale benchmark: a request of each route in turn."""

import threading
import time
from typing import Any

import httpx

from tests.benchmarks.joblist import BODY, ECHO, orchestrator_environment
from tests.benchmarks.scale_routes import Routes, routes
from tests.support.stack import Stack

PAUSE_SECONDS = 0.2  # between requests: about 5 a second
PROJECT, OWN_PROJECT = "scale", "scale-reader"
_TWIN = {
    "types": [
        {"name": "thing", "key": {"name": "id"}, "properties": [{"name": "n", "type": "number"}]}
    ]
}


def prepare(stack: Stack) -> Routes:
    """Create one dataset, one twin and the reader's own project; return the routes to measure."""
    files = {"file": ("data.csv", b"n\n1\n2\n")}
    base = f"/api/v1/projects/{PROJECT}"
    stack.call(
        "POST", f"{base}/datasets/", data={"name": "numbers"}, files=files
    ).raise_for_status()
    stack.call(
        "POST", f"{base}/twins/", json={"name": "town", "definition": _TWIN}
    ).raise_for_status()
    stack.project(OWN_PROJECT)
    stack.call(
        "POST",
        f"/api/v1/projects/{OWN_PROJECT}/pipelines/",
        json={"name": "echo", "definition": ECHO},
    ).raise_for_status()
    token = stack.call("POST", "/api/v1/tokens/", json={"name": "reader"}).raise_for_status()
    session = stack.call("GET", "/api/v1/session/").raise_for_status().json()
    return routes(
        orchestrator_environment(stack),
        values={
            "<str:username>": session["username"],
            "<uuid:token_id>": token.json()["id"],
            "<uuid:job_id>": "{job}",
            "<uuid:other_id>": "{other}",
        },
    )


class Reader:
    """One thread. `seconds`: durations by request; `refused`: the last other status by request."""

    def __init__(self, stack: Stack, found: Routes, job: str, stop: threading.Event) -> None:
        environment = orchestrator_environment(stack)
        self._token = environment["METRICS_TOKEN"]
        self._client, self._stop = stack.client_for(stack.described["token"]), stop
        self._direct = httpx.Client(
            base_url=stack.described["orchestrator_url"], timeout=60, trust_env=False
        )
        self._paths, self._job, self._other = found.measured, job, job
        self.seconds: dict[str, list[float]] = {}
        self.refused: dict[str, int] = {}
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        with self._client, self._direct:
            while not self._stop.is_set():
                self._submit_and_cancel()
                for name, path in self._paths.items():
                    path = path.replace("{job}", self._job).replace("{other}", self._other)
                    self._timed(name, "GET", path)
                    if self._stop.wait(PAUSE_SECONDS):
                        return
                self._choose()

    def _submit_and_cancel(self) -> None:
        """Submit and cancel a job of another project than the run: its jobs are counted."""
        made = self._timed("POST submit", "POST", f"/api/v1/projects/{OWN_PROJECT}/jobs/", BODY)
        if made is not None:
            self._timed("POST cancel", "POST", f"/api/v1/jobs/{made.json()['id']}/cancel/")

    def _choose(self) -> None:
        """Read about the newest job of the run from now on, beside the one before."""
        listed = self._sent("GET", f"/api/v1/projects/{PROJECT}/jobs/?status=running&limit=1")
        rows = listed.json()["results"] if listed is not None and listed.is_success else []
        if rows:
            self._job, self._other = str(rows[0]["id"]), self._job

    def _timed(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response | None:
        began = time.perf_counter()
        response = self._sent(method, path, body)
        if response is None or not response.is_success:
            self.refused[name] = 0 if response is None else response.status_code
            return None
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        return response

    def _sent(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """Return the answer; None without one."""
        try:
            if path == "/metrics":  # the frontend does not pass it on
                headers = {"Authorization": f"Bearer {self._token}"}
                return self._direct.get(path, headers=headers)
            return self._client.request(method, path, json=body)
        except httpx.HTTPError:
            return None
