"""Context of a workload without a supervisor.

Inputs are local files; outputs and messages are recorded.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from jobs.contract import EventKind

GIB = 2**30


class RecordedContext:
    """In-process implementation of `jobs.worker.workload_context.WorkloadContext`."""

    def __init__(
        self, folder: Path, *, type: str, parameters: dict[str, Any], memory_bytes: int = 2 * GIB
    ) -> None:
        self.data_dir = folder / "data"
        self.data_dir.mkdir(parents=True)
        self.job = {"id": "0", "type": type, "name": "", "attempt": 1, "parameters": parameters}
        self.limits = {"memory_bytes": memory_bytes, "cpu_millicores": 2000}
        self.inputs: list[dict[str, Any]] = []
        self.read_url_allow: list[str] = []
        self.events: list[tuple[EventKind, dict[str, Any]]] = []
        self.delivered: dict[str, Path] = {}
        self.roles: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._kept = folder / "delivered"
        self._kept.mkdir()

    def give(self, path: Path, *, name: str, **facts: Any) -> None:
        """Add an input."""
        self._files[name] = path
        self.inputs.append({"name": name, "size_bytes": path.stat().st_size, **facts})

    def event(self, kind: EventKind, **data: Any) -> None:
        json.dumps(data, allow_nan=False)
        self.events.append((kind, data))

    def fetch(self, name: str) -> Path:
        copy = self.data_dir / f"fetched-{name}"
        shutil.copyfile(self._files[name], copy)
        return copy

    def deliver(self, path: Path, *, name: str, role: str, media_type: str) -> None:  # noqa: ARG002 - the real one's
        self.roles[name] = role
        self.delivered[name] = Path(shutil.copyfile(path, self._kept / name))

    def notices(self) -> str:
        """Return all notices."""
        return "\n".join(data["message"] for kind, data in self.events if kind is EventKind.NOTICE)
