"""Local port of the frontend, through `kubectl port-forward`, which is restarted when its pod is
deleted.
"""

import subprocess
import threading
import time
from typing import Any

import httpx

from mimir.dev.ports import answers, free_port
from tests.e2e.cluster import Namespace


class Forward:
    """Tunnel to the frontend, with a client that uses it.

    A request is repeated while the installation restarts.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace, self.port = namespace, free_port()
        self.url = f"http://localhost:{self.port}"
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Host": f"localhost:{self.port}"},
            timeout=60,
            trust_env=False,
        )

    def _run(self) -> None:
        argv = [
            "kubectl",
            "-n",
            self._namespace.name,
            "port-forward",
            "svc/frontend",
            f"{self.port}:3000",
        ]
        while not self._stop.is_set():
            self._process = subprocess.Popen(
                argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while self._process.poll() is None and not self._stop.wait(0.5):
                pass
            self._process.kill()
            self._process.wait()

    def wait(self, seconds: float = 120.0) -> None:
        """Wait until the local port is open."""
        end = time.monotonic() + seconds
        while not answers(self.port):
            assert time.monotonic() < end, "kubectl port-forward svc/frontend does not come up"
            time.sleep(0.5)

    def reopen(self) -> None:
        """Close the tunnel: kubectl does not notice that its pod was replaced."""
        if self._process is not None:
            self._process.kill()

    def call(
        self, method: str, path: str, seconds: float = 180.0, **arguments: Any
    ) -> httpx.Response:
        """Return the response. Raises: httpx.HTTPError if there is none for `seconds`."""
        end = time.monotonic() + seconds
        while True:
            try:
                response = self.client.request(method, path, **arguments)
                if response.status_code not in (502, 503, 504) or time.monotonic() > end:
                    return response
            except httpx.HTTPError:
                if time.monotonic() > end:
                    raise
                self.reopen()
            time.sleep(1)

    def close(self) -> None:
        """End the tunnel."""
        self._stop.set()
        self._thread.join(10)
