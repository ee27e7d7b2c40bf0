"""Keys and passwords of an installation: random, created once, private to their owner."""

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass

from mimir.dev.paths import Places


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one installation."""

    orchestrator_key: str
    frontend_key: str
    worker_key: str
    proof_key: str  # with which the frontend signs requests to the orchestrator
    metrics_token: str
    database_password: str
    redis_password: str
    admin_password: str


def secrets_of(places: Places) -> Secrets:
    """Return the secrets; create them at the first start, and missing ones after an update."""
    path = places.var / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    current = Secrets(
        **{
            name: known.get(name) or secrets.token_urlsafe(size)
            for name, size in (
                ("orchestrator_key", 48),
                ("frontend_key", 48),
                ("worker_key", 48),
                ("proof_key", 48),
                ("metrics_token", 24),
                ("database_password", 24),
                ("redis_password", 24),
                ("admin_password", 12),
            )
        }
    )
    if asdict(current) != known:
        write_private(path, json.dumps(asdict(current)))
    return current


def write_private(path: os.PathLike[str], text: str) -> None:
    """Write a file atomically, readable only by its owner from the start."""
    temporary = f"{os.fspath(path)}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # a leftover of a killed start, with any mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
