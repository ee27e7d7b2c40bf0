"""Starts the parsing child for one file, waits within bounds, and turns its end into an answer or a sentence for the user.

A handful at a time in each process: a crowd of uploads waits for a moment, then is asked to come again.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mimir.lib.errors import MimirError

SECONDS_MAX = 60
PROFILE_CPU_SECONDS = 40.0
RESIDENT_BYTES_MAX = 768 * 1024**2  # DuckDB keeps to 256 MB itself; this is for what escapes its accounting
FILE_BYTES_MAX = 4 * 1024**3  # a converted copy, or what DuckDB spills
ANSWER_BYTES_MAX = 16 * 1024**2
AT_ONCE = 3
WAIT_SECONDS = 15.0
_ROOT = Path(__file__).resolve().parent.parent.parent
_slots = threading.BoundedSemaphore(AT_ONCE)


class Unreadable(MimirError):
    """The file cannot be read as a table; the message says why. Answered with 400."""

    status, code = 400, "unreadable_file"


class Interrupted(Unreadable):
    """The reader was stopped by the clock or from outside: at another time the same file may be readable."""


class Busy(MimirError):
    """Too many files are being read at this moment, or this machine has no room to read one. Answered with 429."""

    status, code = 429, "busy"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file on this machine's disk, and what is known of it."""

    path: str
    format: str
    schema: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What `inspect` found: format, [{"name", "type"}] in column order, number of rows."""

    format: str
    schema: list[dict[str, str]]
    row_count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows as JSON values; `truncated` says that there are more."""

    rows: list[list[Any]]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What each column holds (see `profile.py`), and a sentence about what could not be described, or empty."""

    columns: list[dict[str, Any]]
    fault: str


def inspect(path: str, *, scratch_dir: str) -> Inspected:
    """Format, schema and row count of the file at `path`. Raises: Unreadable, Busy."""
    with _child({"operation": "inspect", "path": path}, scratch_dir) as (answer, _):
        return Inspected(format=answer["format"], schema=answer["schema"], row_count=answer["row_count"])


def preview(table: TableFile, *, limit: int, scratch_dir: str) -> Preview:
    """The first `limit` rows. Raises: Unreadable, Busy."""
    with _child({"operation": "rows", "limit": limit, **_known(table)}, scratch_dir) as (answer, _):
        return Preview(rows=answer["rows"], truncated=answer["truncated"])


def profile(table: TableFile, *, scratch_dir: str) -> Profile:
    """What each column holds. Raises: Unreadable, Interrupted, Busy."""
    with _child({"operation": "profile", "cpu_seconds": PROFILE_CPU_SECONDS, **_known(table)}, scratch_dir) as (answer, _):
        return Profile(columns=answer["columns"], fault=answer["fault"])


@contextlib.contextmanager
def converted(table: TableFile, *, to: str, scratch_dir: str) -> Iterator[Path]:
    """The table as `csv` or `parquet` in a file that is removed at the end of the block. Raises: Unreadable, Busy."""
    with _child({"operation": "convert", "to": to, **_known(table)}, scratch_dir) as (_, scratch):
        yield scratch / "output"


def _known(table: TableFile) -> dict[str, Any]:
    return {"path": table.path, "format": table.format, "schema": table.schema}


@contextlib.contextmanager
def _child(request: dict[str, Any], scratch_dir: str) -> Iterator[tuple[dict[str, Any], Path]]:
    if not _slots.acquire(timeout=WAIT_SECONDS):
        raise Busy("Many files are being read right now. Try again in a few seconds.", retry_after_seconds=5)
    try:
        scratch = Path(tempfile.mkdtemp(prefix="mimir-parse-", dir=scratch_dir))
        try:
            answer = _run(scratch, request)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    finally:
        _slots.release()
    try:
        yield answer, scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(scratch: Path, request: dict[str, Any]) -> dict[str, Any]:
    limits = {"seconds": SECONDS_MAX, "file_bytes_max": FILE_BYTES_MAX}
    (scratch / "request.json").write_text(json.dumps({**request, **limits}))
    process = subprocess.Popen(
        [sys.executable, "-m", "projects.parsing.child", str(scratch)],
        cwd=_ROOT,
        env={"PATH": os.defpath, "HOME": str(scratch), "TMPDIR": str(scratch), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return _answer(scratch, process.returncode)


def _wait(process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS_MAX
    watched = psutil.Process(process.pid)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            return
        if time.monotonic() > end:
            raise Interrupted(f"Reading the file took longer than {SECONDS_MAX} seconds. Split it, or upload it as Parquet.")
        with contextlib.suppress(psutil.Error):
            if watched.memory_info().rss > RESIDENT_BYTES_MAX:
                raise Unreadable("Reading the file took more memory than uploads may use. Split it, or upload it as Parquet.")


def _answer(scratch: Path, code: int) -> dict[str, Any]:
    path = scratch / "answer.json"
    if code != 0 or not path.is_file():
        kind = Interrupted if code < 0 else Unreadable
        raise kind(f"The file made its reader stop (exit {code}). It may be damaged: check it, or save it in another format.")
    if path.stat().st_size > ANSWER_BYTES_MAX:
        raise Unreadable("The file's description is too large. Use fewer or simpler columns.")
    answer: dict[str, Any] = json.loads(path.read_text())
    if answer.get("passing"):
        raise Busy(answer["fault"], retry_after_seconds=60)
    if "fault" in answer:
        raise Unreadable(answer["fault"])
    found: dict[str, Any] = answer["ok"]
    return found
