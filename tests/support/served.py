"""Run a role as its image does: `python -m mimir.serve`."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from mimir.dev.paths import ROOT
from mimir.dev.ports import free_port
from tests.support.waiting import wait_for


@contextmanager
def served(
    role: str,
    environment: Mapping[str, str],
    log: Path,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    python: Path | str = sys.executable,
    source: Path = ROOT,
) -> Iterator[str]:
    """Serve a role from the code in `source`; yield its URL once it responds.

    `environment`: all variables except the port. `log`: file for its output.
    """
    port = port or free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", "mimir.serve", role],
            cwd=source,
            env={**environment, "PORT_TO_SERVE": str(port)},
            stdout=output,
            stderr=output,
        )
    url = f"http://{host}:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/health", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_for(answers, f"{role} answers", 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)
