"""Run one parsing child to its end, with limits on wall time, CPU time, memory and answer size."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from projects.parsing.messages import Answer, Request

_ROOT = Path(__file__).resolve().parent.parent.parent
_MIB = 1024**2
_WATCH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one child. The server watches `resident_bytes`; the child sets the others."""

    seconds: float
    cpu_seconds: int
    address_bytes: int
    resident_bytes: int
    file_bytes: int
    answer_bytes: int = 16 * _MIB
    nice: int = 0  # lower priority, for work that no form waits for


class End(StrEnum):
    """The ways in which a child can end."""

    ANSWER = "answer"
    WALL_TIME = "wall_time"
    CPU_TIME = "cpu_time"
    MEMORY = "memory"
    CRASH = "crash"
    ANSWER_SIZE = "answer_size"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a child.

    `answer` is empty unless `end` is ANSWER. `place` is the last place that the child noted.
    """

    end: End
    code: int
    cpu_seconds: float
    answer: Answer
    place: str


@contextmanager
def run_child(request: Request, limits: Limits, scratch_dir: str) -> Iterator[tuple[Outcome, Path]]:
    """Run a child and provide its outcome and its scratch folder, which is removed afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="mimir-parse-", dir=scratch_dir))
    try:
        (scratch / "request.json").write_text(json.dumps({**request, "limits": asdict(limits)}))
        yield _run(scratch, limits), scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(scratch: Path, limits: Limits) -> Outcome:
    process = subprocess.Popen(
        [sys.executable, "-m", "projects.parsing.child", str(scratch)],
        cwd=_ROOT,
        env={
            "PATH": os.defpath, "HOME": str(scratch), "TMPDIR": str(scratch), "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "2",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    watch = _Watch(process.pid)
    try:
        breach = _wait(process, watch, limits)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return _outcome(scratch, limits, process.returncode, breach, watch.cpu_seconds)


class _Watch:
    """Resident bytes and CPU seconds of a process, as far as they can be read."""

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        self.cpu_seconds = 0.0
        with contextlib.suppress(psutil.Error):
            self._process = psutil.Process(pid)

    def resident_bytes(self) -> int:
        """Return the resident memory of the process; 0 if it cannot be read."""
        if self._process is None:
            return 0
        with contextlib.suppress(psutil.Error):
            times = self._process.cpu_times()
            self.cpu_seconds = max(self.cpu_seconds, times.user + times.system)
            return int(self._process.memory_info().rss)
        return 0


def _wait(process: subprocess.Popen[bytes], watch: _Watch, limits: Limits) -> End | None:
    """Wait for the end. Return the exceeded limit, or None if the child ended by itself."""
    end = time.monotonic() + limits.seconds
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_WATCH_SECONDS)
            return None
        if watch.resident_bytes() > limits.resident_bytes:
            return End.MEMORY
        if time.monotonic() > end:
            return End.WALL_TIME


def _outcome(
    scratch: Path, limits: Limits, code: int, breach: End | None, cpu_seconds: float
) -> Outcome:
    end = breach or End.ANSWER
    answer: Answer = {}
    path = scratch / "answer.json"
    if breach is None and code == -signal.SIGXCPU:
        end, cpu_seconds = End.CPU_TIME, float(limits.cpu_seconds)
    elif breach is None and (code != 0 or not path.is_file()):
        end = End.CRASH
    elif breach is None and path.stat().st_size > limits.answer_bytes:
        end = End.ANSWER_SIZE
    elif breach is None:
        answer = json.loads(path.read_text())
    if answer.get("out_of_memory"):
        end, answer = End.MEMORY, {}
    return Outcome(end, code, cpu_seconds, answer, _place(scratch))


def _place(scratch: Path) -> str:
    try:
        return (scratch / "place").read_text(errors="replace")[:500]
    except OSError:
        return ""
