"""Files of an installation, in `VAR_DIR` (default: `var/` beside the code)."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MARKER = "MIMIR_SUPERVISOR"  # in the environment of every process: its installation
FOLDERS = ("logs", "artifacts", "spool", "workers")


class BadPlace(Exception):
    """The folder cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one installation."""

    var: Path

    @classmethod
    def from_environment(cls) -> "Places":
        """Return the paths in `VAR_DIR`; create it if it is missing. Raises: BadPlace."""
        places = cls.existing()
        try:
            places.var.mkdir(
                parents=True, exist_ok=True, mode=0o700
            )  # the mode of an existing folder is not changed
            for name in FOLDERS:
                folder = places.var / name
                folder.mkdir(exist_ok=True, mode=0o700)
                if folder.stat().st_uid != os.geteuid():
                    raise BadPlace(
                        f"{folder} belongs to another user. Run this as that user, or set VAR_DIR "
                        "to your own folder."
                    )
            _name_it(places.var / "id")
        except OSError as error:
            raise BadPlace(
                f"{places.var} cannot be used ({error.strerror}). Set VAR_DIR to your own folder."
            ) from error
        return places

    @classmethod
    def existing(cls) -> "Places":
        """Return the paths without creating anything."""
        return cls(Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve())

    @property
    def identity(self) -> str:
        """Return a name that is unique on this machine, and new after `make clean`.

        "" before the first start.
        """
        try:
            created = (self.var / "id").read_text()
        except FileNotFoundError:
            return ""
        return hashlib.sha256(f"{self.var}\n{created}".encode()).hexdigest()[:12]

    @property
    def database_home(self) -> Path:
        """Return PostgreSQL's folder.

        Root cannot run PostgreSQL, and the user that runs it instead cannot read a private folder.
        """
        if os.geteuid() != 0:
            return self.var / "postgres"
        return Path(f"/var/tmp/mimir-{self.identity}")  # noqa: S108 - survives a restart of the machine; private, and checked to be

    @property
    def demo(self) -> Path:
        """File with addresses and credentials, for users and tests; mode 0600."""
        return self.var / "demo.json"

    @property
    def lock(self) -> Path:
        """File that the supervisor locks while it runs."""
        return self.var / "supervisor.lock"

    def log(self, name: str) -> Path:
        """Log file of a process."""
        return self.var / "logs" / f"{name}.log"


def _name_it(path: Path) -> None:
    if path.exists() and path.stat().st_size > 0:
        return
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(secrets.token_hex(8))
    try:
        os.link(part, path)  # of two concurrent starts, the first one decides
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
