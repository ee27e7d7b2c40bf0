"""Prepared installation: its database has the schema and an administrator. Built once per test run.

Installations of tests start from a copy, because each would otherwise spend seconds on creating and
migrating a database.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mimir.dev.paths import ROOT, Places
from tests.support.run_folder import run_folder

_SERVERS = ("DATABASE_URL", "REDIS_URL")


def copy_prepared(var: Path) -> None:
    """Fill the folder `var` of a new installation. Does nothing outside of pytest."""
    folder = run_folder()
    if folder is None:
        return
    source = folder / "prepared"
    with (folder / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "prepared.complete").exists():
            _build(source)
            (folder / "prepared.complete").touch()
    shutil.copytree(source, var)
    homes = Places(source).database_home, Places(var).database_home
    if not homes[0].is_relative_to(source):  # as root: outside, and owned by another user
        subprocess.run(["cp", "-a", *homes], check=True)


def _build(var: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _SERVERS}
    environment |= {"VAR_DIR": str(var), "MIMIR_DURABLE": "0"}
    subprocess.run(
        [sys.executable, "-m", "tests.support.prepared"], cwd=ROOT, env=environment, check=True
    )


def remove_database(folder: Path) -> None:
    """Remove the database, which is outside the run's folder when run as root."""
    shutil.rmtree(Places(folder / "prepared").database_home, ignore_errors=True)


def main() -> None:
    """Prepare the installation in VAR_DIR and stop its servers."""
    from mimir.dev.__main__ import prepare
    from mimir.dev.ports import free_port
    from mimir.dev.secrets import secrets_of
    from mimir.dev.services import plan
    from mimir.dev.supervisor import Supervisor

    places = Places.from_environment()
    supervisor, secrets = Supervisor(places), secrets_of(places)
    made = plan(places, secrets, frontend_port=free_port(), api_port=free_port())
    try:
        prepare(supervisor, made, secrets)
    finally:
        supervisor.stop_all()
        supervisor.close()


if __name__ == "__main__":
    main()
