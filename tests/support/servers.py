"""A pytest plugin: one PostgreSQL and one Valkey for the session, from the same wheels as `make up`, before Django reads its settings.

Named by `-p` in pyproject.toml, since pytest-django reads the settings before any conftest.py is loaded.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mimir.dev.paths import Places
from mimir.dev.ports import answers, free_port
from mimir.dev.postgres import postgres_of
from mimir.dev.valkey import redis_url, valkey_argv

_started: list[subprocess.Popen[bytes]] = []
_folder: tempfile.TemporaryDirectory[str] | None = None
_places: Places | None = None
_STARTED_BY = "MIMIR_TEST_SERVERS_OF"
PASSWORD = "only-for-this-test-session-0123456789"  # noqa: S105 - a server on loopback that lives as long as the tests


def _postgres(places: Places) -> str:
    server = postgres_of(places, password=PASSWORD, port=free_port())
    _started.append(
        subprocess.Popen(
            server.argv(durable=False),
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=server.user_id,
            group=server.group_id,
            extra_groups=[] if server.user_id is not None else None,
        )
    )
    _wait_for(lambda: answers(server.port), "PostgreSQL")
    return server.url()


def _valkey(places: Places) -> str:
    port = free_port()
    argv = valkey_argv(places, password=PASSWORD, port=port)
    _started.append(
        subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    )
    _wait_for(lambda: answers(port), "Valkey")
    return redis_url(password=PASSWORD, port=port)


def _wait_for(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.02)


def _environment(database_url: str, url: str) -> None:
    assert _folder is not None
    folder = _folder.name
    os.environ.update(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": url,
            "SECRET_KEY": "tests-" + "x" * 40,
            "WORKER_KEYS": "tests-" + "y" * 40,
            "FRONTEND_KEYS": "tests-" + "z" * 40,
            "LAUNCHER": "memory",
            "ORPHAN_GRACE": "0",
            "ARTIFACTS_URL": f"file://{folder}/artifacts",
            "WORKERS_DIR": f"{folder}/workers",
            "PUBLIC_URL": "http://localhost:3000",
            "LOG_LEVEL": "error",
            "DJANGO_SETTINGS_MODULE": "mimir.settings.test",
        }
    )
    Path(folder, "artifacts").mkdir(exist_ok=True)


def _stop() -> None:
    """Stop what was started, and nothing else; leave nothing."""
    for process in _started:
        process.send_signal(
            signal.SIGINT
        )  # PostgreSQL ends its sessions; at SIGTERM it would wait for them
    for process in _started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if _places is not None:
        shutil.rmtree(_places.database_home, ignore_errors=True)
    if _folder is not None:
        _folder.cleanup()


def _start() -> None:
    """Servers of our own, unless DATABASE_URL and REDIS_URL name some. With xdist each worker is a session of its own."""
    global _folder, _places
    _folder = tempfile.TemporaryDirectory(prefix="mimir-tests-")
    atexit.register(_stop)
    inherited = os.environ.get(_STARTED_BY)  # by an xdist worker, from the process that distributes
    if inherited is None and "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
        _environment(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
        return
    os.environ[_STARTED_BY] = str(os.getpid())
    outer = os.environ.get("VAR_DIR")
    os.environ["VAR_DIR"] = f"{_folder.name}/var"
    os.makedirs(os.environ["VAR_DIR"])
    _places = Places.from_environment()
    if outer is None:
        del os.environ["VAR_DIR"]
    else:
        os.environ["VAR_DIR"] = outer
    _environment(_postgres(_places), _valkey(_places))


_start()
