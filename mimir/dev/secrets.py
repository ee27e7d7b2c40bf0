"""Keys and passwords of an installation: random, made once, readable by their owner alone."""

import json
import os
import secrets
from dataclasses import asdict, dataclass

from mimir.dev.places import Places


@dataclass(frozen=True, slots=True)
class Secrets:
    """Everything that must not be guessed."""

    orchestrator_key: str
    frontend_key: str
    worker_key: str
    database_password: str
    redis_password: str
    admin_password: str


def secrets_of(places: Places) -> Secrets:
    """Read, or made at the first start."""
    path = places.var / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    made = Secrets(
        orchestrator_key=secrets.token_urlsafe(48),
        frontend_key=secrets.token_urlsafe(48),
        worker_key=secrets.token_urlsafe(48),
        database_password=secrets.token_urlsafe(24),
        redis_password=secrets.token_urlsafe(24),
        admin_password=secrets.token_urlsafe(12),
    )
    write_private(path, json.dumps(asdict(made)))
    return made


def write_private(path: os.PathLike[str], text: str) -> None:
    """Written whole, readable by its owner alone from the first byte on."""
    temporary = f"{os.fspath(path)}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
