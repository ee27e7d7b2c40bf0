"""Where an installation keeps its state: `VAR_DIR`, by default `var/` beside the code."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MARKER = "MIMIR_SUPERVISOR"  # in the environment of everything that is started: whose it is


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one installation."""

    var: Path

    @classmethod
    def from_environment(cls) -> "Places":
        """`VAR_DIR`, made private to its owner."""
        var = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o700)
        for name in ("logs", "artifacts", "spool", "workers"):
            (var / name).mkdir(exist_ok=True)
        return cls(var)

    @property
    def identity(self) -> str:
        """A short name no other installation on this machine has."""
        return hashlib.sha256(str(self.var).encode()).hexdigest()[:12]

    @property
    def demo(self) -> Path:
        """Addresses and credentials, for people and tests; mode 0600."""
        return self.var / "demo.json"

    def log(self, name: str) -> Path:
        """What a process wrote."""
        return self.var / "logs" / f"{name}.log"
