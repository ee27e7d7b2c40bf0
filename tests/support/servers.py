"""pytest plugin: PostgreSQL and Valkey of one test session, started for the first test that needs
them.

Addresses and passwords are chosen when the plugin is loaded, because pytest-django reads the
settings before any conftest.py. The servers start with the fixture `servers`, on which the
database fixtures depend: a session of tests without a database starts neither. With pytest-xdist
every process has servers of its own.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from mimir.dev.paths import Places
from mimir.dev.ports import answers
from mimir.dev.postgres import USER, postgres_of
from mimir.dev.valkey import redis_url, valkey_argv
from tests.support.prepared import remove_database
from tests.support.run_folder import choose_run_folder

PASSWORD = "only-for-this-test-session-0123456789"
START_SECONDS = 30.0
# Inherited by pytest-xdist's processes: the addresses in their environment are not the user's.
_CHOSEN_BY = "MIMIR_TEST_SERVERS_OF"


class Servers:
    """The two servers of this process. Their ports stay reserved until they start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserved = [_bound_socket() for _ in range(2)]
        self._postgres_port, self._valkey_port = (each.getsockname()[1] for each in self._reserved)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.database_url = (
            f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self._postgres_port}/postgres"
        )
        self.redis_url = redis_url(password=PASSWORD, port=self._valkey_port)

    def start(self) -> None:
        """Start both and wait until they accept connections. The second call does nothing."""
        if self._processes:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VAR_DIR", str(self._folder / "var"))
            places = Places.from_environment()
        atexit.register(self._stop, places)
        postgres = postgres_of(places, password=PASSWORD, port=self._postgres_port)
        for each in self._reserved:
            each.close()
        self._run(
            postgres.argv(durable=False), user_id=postgres.user_id, group_id=postgres.group_id
        )
        self._run(valkey_argv(places, password=PASSWORD, port=self._valkey_port))
        end = time.monotonic() + START_SECONDS
        while not (answers(self._valkey_port) and _accepts(self.database_url)):
            if time.monotonic() > end:
                raise RuntimeError(f"no servers after {START_SECONDS:.0f} s")
            time.sleep(0.02)

    def _run(
        self, argv: list[str], user_id: int | None = None, group_id: int | None = None
    ) -> None:
        self._processes.append(
            subprocess.Popen(
                argv,
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                user=user_id,
                group=group_id,
                extra_groups=None if user_id is None else [],
            )
        )

    def _stop(self, places: Places) -> None:
        for process in self._processes:
            # PostgreSQL ends its sessions at SIGINT. At SIGTERM it would wait for them.
            process.send_signal(signal.SIGINT)
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(places.database_home, ignore_errors=True)


def _bound_socket() -> socket.socket:
    """Return a socket that is bound to a free port but does not listen.

    Early connections are refused at once.
    """
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    return bound


def _accepts(database_url: str) -> bool:
    try:
        psycopg.connect(database_url).close()
    except psycopg.OperationalError:
        return False
    return True


def _environment(folder: str, database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
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


def _choose() -> Servers | None:
    """Set the environment of the settings.

    None: DATABASE_URL and REDIS_URL name the user's servers.
    """
    folder = tempfile.TemporaryDirectory(prefix="mimir-tests-")
    atexit.register(folder.cleanup)
    Path(folder.name, "artifacts").mkdir()
    named = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if _CHOSEN_BY not in os.environ and named[0] and named[1]:
        os.environ.update(_environment(folder.name, named[0], named[1]))
        return None
    os.environ[_CHOSEN_BY] = str(os.getpid())
    made = Servers(Path(folder.name))
    os.environ.update(_environment(folder.name, made.database_url, made.redis_url))
    return made


_SERVERS = _choose()
choose_run_folder(remove_database)


@pytest.fixture(scope="session")
def servers() -> None:
    """Start PostgreSQL and Valkey."""
    if _SERVERS is not None:
        _SERVERS.start()
