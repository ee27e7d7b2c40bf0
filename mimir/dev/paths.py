"""Where an installation keeps its state: `VAR_DIR`, by default `var/` beside the code."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MARKER = "MIMIR_SUPERVISOR"  # in the environment of everything that is started: whose it is
FOLDERS = ("logs", "artifacts", "spool", "workers")


class BadPlace(Exception):
    """The folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one installation."""

    var: Path

    @classmethod
    def from_environment(cls) -> "Places":
        """The folder `VAR_DIR`, made if it is not there, with what is private in it. Raises: BadPlace."""
        places = cls.existing()
        try:
            places.var.mkdir(
                parents=True, exist_ok=True, mode=0o700
            )  # the mode of a folder somebody else made is theirs to choose
            for name in FOLDERS:
                folder = places.var / name
                folder.mkdir(exist_ok=True, mode=0o700)
                if folder.stat().st_uid != os.geteuid():
                    raise BadPlace(
                        f"{folder} belongs to another user: run this as that one, or set VAR_DIR to a folder of your own."
                    )
            _name_it(places.var / "id")
        except OSError as error:
            raise BadPlace(
                f"{places.var} cannot be used ({error.strerror}): set VAR_DIR to a folder of your own."
            ) from error
        return places

    @classmethod
    def existing(cls) -> "Places":
        """The same, without making anything."""
        return cls(Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve())

    @property
    def identity(self) -> str:
        """A short name no other installation on this machine has, nor this one after `make clean`. Empty where there is none."""
        try:
            made = (self.var / "id").read_text()
        except FileNotFoundError:
            return ""
        return hashlib.sha256(f"{self.var}\n{made}".encode()).hexdigest()[:12]

    @property
    def database_home(self) -> Path:
        """Where PostgreSQL keeps its data. Root may not run it, and who runs it instead may not read our folder."""
        if os.geteuid() != 0:
            return self.var / "postgres"
        return Path(f"/var/tmp/mimir-{self.identity}")  # noqa: S108 - survives a restart of the machine; private, and checked to be

    @property
    def demo(self) -> Path:
        """Addresses and credentials, for people and tests; mode 0600."""
        return self.var / "demo.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.var / "supervisor.lock"

    def log(self, name: str) -> Path:
        """What a process wrote."""
        return self.var / "logs" / f"{name}.log"


def _name_it(path: Path) -> None:
    if path.exists() and path.stat().st_size > 0:
        return
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(secrets.token_hex(8))
    try:
        os.link(part, path)  # of two starts at once the first names it
    except FileExistsError:
        pass
    except OSError:  # a filesystem without links
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
