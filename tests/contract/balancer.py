"""Production processes of an installation behind a load balancer that terminates TLS."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from mimir.dev.paths import ROOT
from mimir.dev.ports import answers, free_port
from tests.support.stack import Stack
from tests.support.tls import tls_proxy
from tests.support.waiting import wait_for

CLIENT = "203.0.113.9"  # reserved for documentation, RFC 5737


@dataclass(frozen=True)
class Balanced:
    """Address of the site, its certificate and its administrator."""

    url: str
    certificate: Path
    username: str
    password: str

    def client(self, **options: Any) -> httpx.Client:
        """Return a client without a session."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(
            base_url=self.url, verify=trusted, timeout=30, trust_env=False, **options
        )


def balanced_site(stack: Stack, folder: Path) -> Iterator[Balanced]:
    """Start a second web and a second frontend with production settings, behind a proxy."""
    api_port, frontend_port, tls_port = free_port(), free_port(), free_port()
    url = f"https://localhost:{tls_port}"
    production = {
        "ENVIRONMENT": "production",
        "ALLOW_UNISOLATED_WORKERS": "true",
        "PUBLIC_URL": url,
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    production["ACCEPT_PLAIN"] = "database,redis"  # of this machine
    with ExitStack() as started:
        for name, role, port in (
            ("web", "orchestrator", api_port),
            ("frontend", "frontend", frontend_port),
        ):
            environ = (
                psutil.Process(stack.pids(name)[0]).environ()
                | production
                | {"PORT_TO_SERVE": str(port)}
            )
            environ.pop("MIMIR_CRASH_POINTS")
            if name == "frontend":
                environ["API_URL"] = f"http://127.0.0.1:{api_port}"
            started.enter_context(_process(role, environ, folder))
            wait_for(partial(answers, port), f"the {role} answers")
        certificate = started.enter_context(
            tls_proxy(folder, port=tls_port, upstream_port=frontend_port, client=CLIENT)
        )
        yield Balanced(url, certificate, stack.described["username"], stack.described["password"])


def _process(role: str, environ: dict[str, str], folder: Path) -> Any:
    log = (folder / f"{role}.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mimir.serve", role], cwd=ROOT, env=environ, stdout=log, stderr=log
    )

    class _Running:
        def __enter__(self) -> subprocess.Popen[bytes]:
            return process

        def __exit__(self, *_: object) -> None:
            process.terminate()
            process.wait(20)
            log.close()

    return _Running()
