"""A small client of the REST API, shared by the examples. It needs httpx and nothing else of Mimir.

Environment: MIMIR_TOKEN (required), MIMIR_URL (default http://localhost:3000).
"""

import os
import sys
from pathlib import Path
from typing import Any

import httpx

TERMINAL = ("succeeded", "failed", "cancelled")


class Mimir:
    """Requests below /api/v1/projects/<slug>/.

    An error response ends the script with its message.
    """

    def __init__(self, slug: str, name: str) -> None:
        token = os.environ.get("MIMIR_TOKEN")
        if not token:
            sys.exit("Set MIMIR_TOKEN to an API token: create one on the page Tokens.")
        url = os.environ.get("MIMIR_URL", "http://localhost:3000")
        self._client = httpx.Client(
            base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        self._base = f"projects/{slug}/"
        if self._client.get(self._base).status_code == 404:
            self._request("POST", "projects/", json={"slug": slug, "name": name})

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of a GET."""
        return self._request("GET", self._base + path, params=query).json()

    def text(self, path: str, **query: Any) -> str:
        """Return the text of a GET."""
        return self._request("GET", self._base + path, params=query).text

    def send(self, method: str, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON."""
        return self._request(method, self._base + path, json=body, headers=headers)

    def upload(self, dataset: str, file: Path) -> None:
        """Upload a file as the next version of a dataset."""
        files = {"file": (file.name, file.read_bytes())}
        self._request("POST", self._base + "datasets/", data={"name": dataset}, files=files)

    def run(self, job_type: str, **parameters: Any) -> dict[str, Any]:
        """Run a job and return it when it has succeeded."""
        body = {"type": job_type, "parameters": parameters}
        job: dict[str, Any] = self.send("POST", "jobs/", body).json()
        while job["status"] not in TERMINAL:
            job = self._request("GET", f"jobs/{job['id']}/", params={"wait": 30}).json()
        if job["status"] != "succeeded":
            sys.exit(f"{job_type} {job['status']}: {job['message']}")
        print(f"{job_type} succeeded")
        return job

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        response = self._client.request(method, path, **arguments)
        if response.is_error:
            sys.exit(f"{method} {path}: {response.status_code} {response.text}")
        return response
