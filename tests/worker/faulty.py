"""A real worker process against a faulty orchestrator."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.clusters.launchers.process import SOURCE_DIR
from tests.support.orchestrator import Orchestrator

Start = Callable[..., "Worker"]
_TABLE: dict[str, Any] = {
    "name": "numbers",
    "kind": "dataset",
    "dataset": "numbers",
    "version": 1,
    "format": "csv",
    "row_count": None,
    "schema": [{"name": "n", "type": "BIGINT"}],
}


@dataclass
class Worker:
    """Process of a worker, and its orchestrator."""

    orchestrator: Orchestrator
    folder: Path
    process: subprocess.Popen[bytes]

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(60)

    @property
    def exit(self) -> dict[str, Any]:
        """Return its exit report for the launcher."""
        found: dict[str, Any] = json.loads((self.folder / "exit.json").read_text())
        return found

    @property
    def console(self) -> str:
        """Return its stderr."""
        return (self.folder / "console.log").read_text()


def shell_steps(script: str) -> list[dict[str, Any]]:
    return [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", script]}}]


def start_worker(
    folder: Path, script: str = "echo one", *, prelude: str = "", table: bytes = b"", **limits: int
) -> Worker:
    """Start a worker that runs a shell script, and its orchestrator with `limits`.

    `prelude` is Python code that runs in the supervisor first, to break a part of it. `table` is a
    CSV that a step reads first.
    """
    read = [{"id": "numbers", "uses": "read", "with": {"dataset": "numbers"}}] if table else []
    orchestrator = Orchestrator([*read, *shell_steps(script)], **limits)
    if table:
        orchestrator.claim["inputs"].append(dict(_TABLE))
        orchestrator.inputs["numbers"] = table
    argv = [
        sys.executable,
        "-c",
        f"import sys\n{prelude}\nfrom jobs.worker.__main__ import main\nsys.exit(main())",
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE_DIR),
        "JOB_ID": "j",
        "JOB_TYPE": "pipeline_execution",
        "ATTEMPT_ID": f"attempt-{folder.name}",
        "JOB_TOKEN": "launch",
        "ORCHESTRATOR_URL": orchestrator.url,
        "MIMIR_DATA_DIR": str(folder / "data"),
        "WORKER_DIR": str(folder),
    }
    with (folder / "console.log").open("wb") as console:
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=console)
    return Worker(orchestrator, folder, process)


def refuse(
    orchestrator: Orchestrator,
    name: str,
    status: int,
    code: str,
    *,
    when: Callable[[Any], bool] = lambda _body: True,
) -> None:
    answer = status, {"code": code, "message": f"because of {code}", "detail": {}}
    orchestrator.answers[name] = lambda body: answer if when(body) else None


def text_of(log: bytes) -> str:
    return "".join(line.split(" ", 3)[3] + "\n" for line in log.decode().splitlines())


def processes_of(worker: Worker) -> list[str]:
    from jobs.clusters.launchers.processes import bearers

    return [str(pid) for pid in bearers().get(f"attempt-{worker.folder.name}", [])]
