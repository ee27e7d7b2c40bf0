"""Folder of a worker process: its lock, its files, and the observation of its worker.

A worker is a folder `<WORKERS_DIR>/<name>`:

    worker.json   {"attempt_id", "uid", "installation", "name", "created_at"},
                  written before any process starts
    lock          flock held by the starter, then by the guardian and the supervisor, which
                  inherit the descriptor: while one of them holds it the worker is alive
    pid           pid of its first process, the guardian and parent of the supervisor;
                  valid only while the lock is held
    exit.json     how it ended (docs/reference/worker-protocol.md); with a free lock and
                  without this file the worker is lost
    empty         written by the guardian when it is the worker's last process; valid only while
                  the lock is free. Without this file (the guardian was killed) all processes of
                  the machine are searched for those of the worker
    spool/        log bytes not accepted yet, one file per segment, named by its start offset
    data/         scratch
    console.log   the supervisor's own stderr
"""

import contextlib
import datetime as dt
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from jobs.clusters.launchers.base import Observation
from jobs.contract import LOG_CHUNK_BYTES_MAX
from mimir.lib.json_types import JsonObject

LOCK_TRIES, LOCK_PAUSE_SECONDS = 40, 0.005  # `is_locked` holds the lock for microseconds
EMPTY = "empty"


class WorkerIdentity(TypedDict):
    """Content of worker.json. `created_at`: ISO 8601."""

    attempt_id: str
    uid: str
    installation: str
    name: str
    created_at: str


def spooled(spool: Path, offset: int) -> bytes:
    """Return whole stored lines of a worker's spool from stored `offset` on.

    At most one chunk; empty if there are none. Each file of the folder holds the stored bytes from
    the offset in its name on. The files follow one another without gaps.
    """
    with contextlib.suppress(OSError):
        starts = sorted(int(name) for name in os.listdir(spool) if name.isdigit())
        begin = max((start for start in starts if start <= offset), default=None)
        if begin is None:
            return b""
        with (spool / f"{begin:020d}").open("rb") as file:
            file.seek(offset - begin)
            piece = file.read(LOG_CHUNK_BYTES_MAX)
        return piece[: piece.rfind(b"\n") + 1]
    return b""


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[int | None]:
    """Lock the folder and yield the lock's descriptor, which a child process can inherit.

    Yields None while a worker or another starter holds the lock.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for tries_left in range(LOCK_TRIES, 0, -1):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if tries_left == 1:
                    yield None
                    return
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                yield descriptor
                return
    finally:
        os.close(descriptor)  # a worker that inherited it still holds the lock


def is_locked(folder: Path) -> bool:
    """Return whether the lock is held.

    The check takes a shared lock: concurrent calls do not conflict.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_empty(folder: Path) -> bool:
    """Return whether the guardian has reported that no process is left.

    Call it after `is_locked`: the report is valid only while the lock is free.
    """
    return (folder / EMPTY).exists()


def remove(folder: Path) -> None:
    """Remove a worker's folder, with worker.json and the lock last.

    If this process is killed meanwhile, the rest of the folder still identifies its worker.
    """
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name not in ("worker.json", "lock"):
            Path(entry.path).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def first_process(folder: Path) -> int | None:
    """Return the pid of the worker's first process; valid only while the lock is held."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "pid").read_text())
    return None


def starved_seconds(folder: Path) -> float:
    """Return the longest time for which the guardian or the supervisor waited for a CPU.

    0 on a machine that does not count it. Source: the second number of /proc/<pid>/schedstat, in
    nanoseconds (Linux, sched-stats.rst). Valid only while the lock is held.
    """
    guardian = first_process(folder)
    if guardian is None:
        return 0.0
    pids = [guardian]
    with contextlib.suppress(OSError, ValueError):
        children = Path(f"/proc/{guardian}/task/{guardian}/children").read_text()
        pids += [int(pid) for pid in children.split()]
    return max(_run_delay_seconds(pid) for pid in pids)


def _run_delay_seconds(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def write_pid(folder: Path, pid: int) -> None:
    """Write the pid of the worker's first process. That process also writes it."""
    temporary = folder / f"pid.{os.getpid()}"
    temporary.write_text(str(pid))
    temporary.rename(folder / "pid")


def observe_alive(folder: Path, identity: WorkerIdentity) -> Observation:
    """Return the observation of a worker whose lock is held."""
    return Observation(
        name=folder.name,
        attempt_id=identity["attempt_id"],
        uid=identity["uid"],
        alive=True,
        started_at=_time(identity["created_at"]),
        starved_seconds=starved_seconds(folder),
    )


def observe_dead(folder: Path, identity: WorkerIdentity, left: int) -> Observation:
    """Return the observation of a worker with a free lock and `left` remaining processes."""
    ended = read_json(folder / "exit.json")
    return Observation(
        name=folder.name,
        attempt_id=identity["attempt_id"],
        uid=identity["uid"],
        alive=False,
        processes=left,
        exit_code=_whole(ended.get("code")),
        signal=_whole(ended.get("signal")),
        reason=str(ended.get("reason") or ("" if ended else "worker_lost")),
        message=str(ended.get("message") or "")[:2000],
        peak_memory_bytes=_whole(ended.get("peak_memory_bytes")),
        started_at=_time(identity["created_at"]),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None


def read_identity(folder: Path) -> WorkerIdentity | None:
    """Return the content of worker.json; None if it is missing or incomplete.

    Fields that a file from another program lacks are empty.
    """
    found = read_json(folder / "worker.json")
    if not found:
        return None
    return {
        "attempt_id": str(found.get("attempt_id", "")),
        "uid": str(found.get("uid", "")),
        "installation": str(found.get("installation", "")),
        "name": str(found.get("name", "")),
        "created_at": str(found.get("created_at", "")),
    }


def read_json(path: Path) -> JsonObject:
    """Return the object in a small file; empty if the file is missing or incomplete."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write the file atomically: write, fsync, rename."""
    temporary = path.with_suffix(".new")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
