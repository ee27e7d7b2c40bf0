"""Each requirements file is sufficient for its role.

The frontend and the worker run in virtual environments with only their requirements.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mimir.dev.ports import free_port
from tests.support.served import served

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".venv/tools/bin/uv"
BARE = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Function that creates an environment from one requirements file and returns its interpreter.

    The hashes in the file are verified.
    """

    def make(role: str) -> Path:
        folder = tmp_path_factory.mktemp(role) / "venv"
        environment = {**os.environ, "UV_LINK_MODE": "hardlink", "VIRTUAL_ENV": str(folder)}
        subprocess.run(
            [UV, "venv", "-q", "--python", sys.executable, folder], check=True, env=environment
        )
        sync: list[str | Path] = [
            UV,
            "pip",
            "sync",
            "-q",
            "--require-hashes",
            "--python",
            folder / "bin/python",
            ROOT / f"requirements/{role}.txt",
        ]
        # uv's cache holds the packages that `make test` installed; with an empty cache the package
        # index is asked.
        if subprocess.run(
            [*sync, "--offline"], env=environment, stderr=subprocess.DEVNULL
        ).returncode:
            subprocess.run(sync, check=True, env=environment)
        return folder / "bin/python"

    return make


def _importable(python: Path, names: tuple[str, ...]) -> set[str]:
    code = (
        "import importlib.util, sys; print(*(name for name in sys.argv[1:] if "
        "importlib.util.find_spec(name)))"
    )
    return set(
        subprocess.run(
            [python, "-c", code, *names], check=True, capture_output=True, text=True, env=BARE
        ).stdout.split()
    )


@pytest.fixture(scope="module")
def frontend_python(alone: Callable[[str], Path]) -> Path:
    return alone("frontend")


@pytest.fixture(scope="module")
def frontend(frontend_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the frontend as in its image, without an orchestrator.

    Yields its URL.
    """
    port, api_port = free_port(), free_port()
    environment = {
        **BARE,
        "SECRET_KEY": "k" * 40,
        "FRONTEND_KEYS": "p" * 40,
        "API_URL": f"http://127.0.0.1:{api_port}",
        "PUBLIC_URL": f"http://localhost:{port}",
    }
    log = tmp_path_factory.mktemp("log") / "frontend.log"
    with served(
        "frontend", environment, log, port=port, host="localhost", python=frontend_python
    ) as url:
        yield url


def test_the_frontends_environment_has_no_database_no_queue_and_no_server_code(
    frontend_python: Path,
) -> None:
    unwanted = (
        "psycopg",
        "psycopg_binary",
        "redis",
        "rq",
        "kubernetes",
        "rest_framework",
        "channels",
        "duckdb",
        "pyarrow",
        "psutil",
        "daphne",
    )
    assert _importable(frontend_python, unwanted) == set()
    assert _importable(
        frontend_python, ("django", "httpx", "websockets", "uvicorn", "whitenoise")
    ) == {
        "django",
        "httpx",
        "websockets",
        "uvicorn",
        "whitenoise",
    }


def test_the_frontend_serves_its_pages_alone(frontend: str) -> None:
    with httpx.Client(base_url=frontend, trust_env=False) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/").status_code in (200, 302)
        page = client.get("/signin/")
        assert page.status_code == 200
        assert 'name="password"' in page.text
        style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
        assert style
        assert client.get(style[1]).headers["Content-Type"].startswith("text/css")


def test_the_frontend_without_its_orchestrator_is_degraded_and_says_so(frontend: str) -> None:
    with httpx.Client(base_url=frontend, trust_env=False) as client:
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "API_URL" in ready.json()["checks"]["orchestrator"]
        answer = client.get("/api/v1/projects/")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        page = client.get("/signin/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        form = {
            "username": "ada",
            "password": "x",
            "csrfmiddlewaretoken": token[1] if token else "",
        }
        refused = client.post("/signin/", data=form, headers={"Origin": frontend})
        assert refused.status_code == 503
        assert "orchestrator" in refused.text.lower()


def test_a_worker_needs_nothing_but_its_own_requirements(alone: Callable[[str], Path]) -> None:
    python = alone("worker")
    assert _importable(python, ("duckdb", "pyarrow")) == {"duckdb", "pyarrow"}
    assert (
        _importable(
            python,
            (
                "django",
                "rest_framework",
                "channels",
                "rq",
                "redis",
                "psycopg",
                "structlog",
                "httpx",
                "yaml",
            ),
        )
        == set()
    )
    code = (
        "import importlib, pkgutil, jobs.worker\n"
        "names = [found.name for found in pkgutil.walk_packages(jobs.worker.__path__, "
        "'jobs.worker.') if not found.name.endswith('__main__')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names))"
    )
    ran = subprocess.run(
        [python, "-W", "error", "-c", code], cwd=ROOT, env=BARE, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 15
    started = subprocess.run(
        [python, "-m", "jobs.worker"], cwd=ROOT, env=BARE, capture_output=True, text=True
    )
    assert started.returncode == 6, "EXIT_ENVIRONMENT"
    assert all(
        name in started.stderr
        for name in ("JOB_ID", "JOB_TYPE", "ATTEMPT_ID", "JOB_TOKEN", "ORCHESTRATOR_URL")
    )
