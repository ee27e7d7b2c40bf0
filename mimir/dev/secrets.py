"""Keys and passwords of an installation: random, made once, readable by their owner alone."""

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass

from mimir.dev.paths import Places


@dataclass(frozen=True, slots=True)
class Secrets:
    """Everything that must not be guessed."""

    orchestrator_key: str
    frontend_key: str
    worker_key: str
    proof_key: str  # of the frontend, to the orchestrator
    metrics_token: str
    database_password: str
    redis_password: str
    admin_password: str


def secrets_of(places: Places) -> Secrets:
    """Read, or made at the first start; what a newer version needs beside them is added."""
    path = places.var / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = Secrets(
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
    if asdict(made) != known:
        write_private(path, json.dumps(asdict(made)))
    return made


def write_private(path: os.PathLike[str], text: str) -> None:
    """Written whole, readable by its owner alone from the first byte on."""
    temporary = f"{os.fspath(path)}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a start that was killed, with whatever mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
