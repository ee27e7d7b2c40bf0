"""Corruption of a stored model, for jobs that read it."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.beside import environment_of
from tests.support.stack import Stack


@dataclass(frozen=True)
class Bad:
    """A failing job and its expected reason.

    `before` breaks the installation and returns the function that repairs it.
    """

    type: str
    parameters: dict[str, Any]
    reason: str
    message: str
    before: Callable[["StoredModel"], Callable[[], None]] | None = None
    steps: tuple[str, ...] = field(default=("Change and run again",))


class StoredModel:
    """Changes to a stored model that need access to the machine."""

    def __init__(self, stack: Stack) -> None:
        self._database = environment_of(stack, "web")["DATABASE_URL"]
        self._root = stack.var / "artifacts"
        self._cache = stack.var / "workers" / ".models"

    def stored(self) -> Path:
        """Return the file of the good model."""
        return self._root / self._row()[0]

    def replace(self, content: Callable[[bytes], bytes], *, row_agrees: bool) -> Callable[[], None]:
        """Replace the stored bytes and return a function that restores them.

        `row_agrees`: also write the new checksum and size into the row.
        """
        for entry in self._cache.glob("*/*.model"):
            entry.unlink()  # a worker with cached bytes does not download them
        path, (_, size, sha256) = self.stored(), self._row()
        original = path.read_bytes()
        created = content(original)
        path.chmod(0o600)
        path.write_bytes(created)
        if row_agrees:
            self._write(len(created), hashlib.sha256(created).hexdigest())

        def undo() -> None:
            path.write_bytes(original)
            self._write(size, sha256)

        return undo

    def _row(self) -> tuple[str, int, str]:
        with psycopg.connect(self._database) as connection:
            query = (
                "SELECT v.storage_key, v.size_bytes, v.sha256 FROM projects_modelversion v JOIN "
                "projects_model m ON m.id = v.model_id "
                "WHERE m.name = 'good-model'"
            )
            found = connection.execute(query).fetchone()
        assert found is not None
        return found[0], found[1], found[2]

    def _write(self, size: int, sha256: str) -> None:
        with psycopg.connect(self._database) as connection:
            connection.execute(
                "UPDATE projects_modelversion SET size_bytes = %s, sha256 = %s WHERE storage_key "
                "= %s",
                [size, sha256, self._row()[0]],
            )


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


def bomb(_: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (256 * 2**20))
    return out.getvalue()


CORRUPT = ("Train it again", "Use another version of the model")
