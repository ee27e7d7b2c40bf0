"""The frontend as a real process with a separate environment.

Needs neither PostgreSQL nor Redis.
"""

import datetime as dt
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.core.signing import JSONSerializer, TimestampSigner

from tests.frontend.upstream import free_port, wait_for_port

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "a key of the tests, which is long enough"
FRONTEND_KEY = "a proof key of the tests that is long enough"
MAX_UPLOAD_BYTES = 512 * 1024 * 1024
CSRF_SECRET = secrets.token_hex(16)


@dataclass(frozen=True)
class Frontend:
    """Running frontend. `url` is also its PUBLIC_URL."""

    url: str
    pid: int
    log: Path

    @property
    def origin(self) -> str:
        return self.url

    @property
    def socket_url(self) -> str:
        return self.url.replace("http://", "ws://")

    def client(self, *, session: bool = False, **options: Any) -> httpx.Client:
        """Return a client, with the cookies of a signed-in user if `session` is set."""
        cookies = (
            {"mimir_session": session_cookie(), "mimir_csrf": CSRF_SECRET, "other": "x"}
            if session
            else {}
        )
        return httpx.Client(
            base_url=self.url, cookies=cookies, timeout=20, trust_env=False, **options
        )  # type: ignore[arg-type]

    def resident_peak_bytes(self) -> int:
        """Return the peak resident memory of the process."""
        line = next(
            line
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        return int(line.split()[1]) * 1024


def session_cookie(token: str = "session-token", hours: float = 1, key: str = SECRET_KEY) -> str:
    """Return the session cookie that the frontend sets at sign-in."""
    ends_at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    data = {"token": token, "username": "ada", "is_staff": False, "expires_at": ends_at.isoformat()}
    signer = TimestampSigner(
        key=key, salt="django.contrib.sessions.backends.signed_cookies", fallback_keys=[]
    )
    return signer.sign_object(data, serializer=JSONSerializer, compress=True)


@contextmanager
def running_frontend(folder: Path, api_url: str, **settings: str) -> Iterator[Frontend]:
    """Run a frontend with exactly these settings in its environment."""
    port, log = free_port(), folder / f"frontend-{secrets.token_hex(4)}.log"
    environ = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "mimir.settings.frontend",
        "SECRET_KEY": SECRET_KEY,
        "FRONTEND_KEYS": FRONTEND_KEY,
        "API_URL": api_url,
        "PUBLIC_URL": f"http://localhost:{port}",
        "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        **settings,
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "mimir.asgi_frontend:application",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output) as process,
    ):
        try:
            try:
                wait_for_port(port, lambda: process.poll() is None)
            except RuntimeError:
                raise RuntimeError(log.read_text()) from None
            yield Frontend(f"http://localhost:{port}", process.pid, log)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # a connection that a failed test left open
                process.kill()


def seen_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers that reached the upstream."""
    return dict(json.loads(response.content)["headers"])
