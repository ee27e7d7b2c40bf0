"""Reads table files in parsing children, and turns how a child ended into an answer or a sentence for the user.

How many children run, and for whom, is in `slots.py`. A refusal is remembered by content, so that a file that used up its limits once
does not use them again.
"""

import contextlib
import hashlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimir.lib.disks import storage_problem
from mimir.lib.errors import MimirError
from projects.parsing.cache import ExpiringCache
from projects.parsing.child_process import End, Limits, Outcome, run_child
from projects.parsing.slots import WAIT_SECONDS, Busy, Kind, Owner, file_slots

__all__ = [
    "Busy",
    "Interrupted",
    "Owner",
    "Preview",
    "Profile",
    "ReadFile",
    "TableFile",
    "Unreadable",
]

SECONDS_MAX = 60
CPU_SECONDS_MAX = 50
PROFILE_CPU_SECONDS = 40.0  # a description ends itself with what it has
RESIDENT_BYTES_MAX = (
    768 * 1024**2
)  # DuckDB keeps to 256 MB itself; this is for what escapes its accounting
ADDRESS_BYTES_MAX = 1280 * 1024**2  # some 250 MiB of it are libraries and reserved memory
FILE_BYTES_MAX = 2 * 1024**3  # a converted copy, or what DuckDB spills
# Of what time was used up although others were computing: from here on it was the file and not the machine.
OWN_CPU_SECONDS = 25.0
_NOBODY = Owner()
_slots = file_slots()
_refusals: "ExpiringCache[Unreadable]" = ExpiringCache(entries=2000, weight=2000, seconds=3600)
_interruptions: "ExpiringCache[Unreadable]" = ExpiringCache(entries=500, weight=500, seconds=600)
_refused_sizes: ExpiringCache[bool] = ExpiringCache(entries=2000, weight=2000, seconds=3600)


class Unreadable(MimirError):
    """The file cannot be read as a table; the message says why. Answered with 400. `sheets` are those of a workbook."""

    status, code = 400, "unreadable_file"
    sheets: Sequence[dict[str, Any]] = ()

    def again(self) -> "Unreadable":
        """The same refusal for another request."""
        error = type(self)(self.message, detail=self.detail)
        error.sheets = self.sheets
        return error


class Interrupted(Unreadable):
    """The reader was stopped by the clock or from outside: at another time the same file may be readable."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file on this machine's disk, and what is known of it. `key` identifies its content and schema; empty: unknown."""

    path: str
    format: str
    schema: list[dict[str, str]]
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What reading a file found. `options` are the ones that were used, detected or chosen.

    `table` is a Parquet file with the rows; None where the file itself is that, or where none was asked for. `rows` and `cells` are the first
    rows, typed and as they are in the file. `complete` is false where only the beginning was read.
    """

    format: str
    packing: str
    options: dict[str, Any]
    schema: list[dict[str, Any]]
    row_count: int
    warnings: list[dict[str, Any]]
    complete: bool
    lines: list[str]
    choices: dict[str, list[dict[str, Any]]]
    rows: list[list[Any]]
    cells: list[list[Any]]
    table: Path | None


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


def inspect(
    path: str,
    *,
    options: dict[str, Any],
    rows: int,
    sample: bool = False,
    scratch_dir: str,
    owner: Owner = _NOBODY,
) -> ReadFile:
    """What is in the file at `path`, with its first `rows` rows. `sample`: only its beginning is read. Raises: Unreadable, Busy."""
    request = {
        "operation": "read",
        "path": path,
        "options": options,
        "write": False,
        "sample": sample,
        "rows": rows,
    }
    with _child(request, scratch_dir, Kind.UPLOAD, owner) as (answer, _):
        return _read_file(answer, None)


@contextlib.contextmanager
def imported(
    path: str, *, options: dict[str, Any], scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[ReadFile]:
    """What is in the file at `path`, and its table, which is removed at the end of the block. Raises: Unreadable, Busy."""
    request = {
        "operation": "read",
        "path": path,
        "options": options,
        "write": True,
        "sample": False,
        "rows": 0,
    }
    with _child(request, scratch_dir, Kind.UPLOAD, owner) as (answer, scratch):
        yield _read_file(
            answer, scratch / "work" / "table.parquet" if answer["has_table"] else None
        )


@contextlib.contextmanager
def imported_each(
    path: str, readings: Sequence[dict[str, Any]], *, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[list[ReadFile]]:
    """What reading the file with each of these options finds, with its table; all within the limits of one reading. Types of columns that a
    table lacks are left out. The tables are removed at the end of the block. Raises: Unreadable, Busy.
    """
    with _child(
        {"operation": "read_each", "path": path, "readings": list(readings)},
        scratch_dir,
        Kind.UPLOAD,
        owner,
    ) as (answer, scratch):
        yield [
            _read_file(one, scratch / f"table-{index}.parquet" if one["has_table"] else None)
            for index, one in enumerate(answer["readings"])
        ]


def _read_file(answer: dict[str, Any], table: Path | None) -> ReadFile:
    facts = {name: value for name, value in answer.items() if name != "has_table"}
    return ReadFile(**{"rows": [], "cells": [], **facts, "table": table})


def preview(table: TableFile, *, limit: int, scratch_dir: str, owner: Owner = _NOBODY) -> Preview:
    """The first `limit` rows. Raises: Unreadable, Busy."""
    with _child(
        {"operation": "rows", "limit": limit, **_known(table)}, scratch_dir, Kind.PREVIEW, owner
    ) as (answer, _):
        return Preview(rows=answer["rows"], truncated=answer["truncated"])


def profile(table: TableFile, *, scratch_dir: str, owner: Owner = _NOBODY) -> Profile:
    """What each column holds. Raises: Unreadable, Interrupted, Busy."""
    request = {"operation": "profile", "profile_cpu_seconds": PROFILE_CPU_SECONDS, **_known(table)}
    with _child(request, scratch_dir, Kind.LONG, owner) as (answer, _):
        return Profile(columns=answer["columns"], fault=answer["fault"])


@contextlib.contextmanager
def converted(
    table: TableFile, *, to: str, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[Path]:
    """The table as `csv` or `parquet` in a file that is removed at the end of the block. Raises: Unreadable, Busy."""
    with _child(
        {"operation": "convert", "to": to, **_known(table)}, scratch_dir, Kind.LONG, owner
    ) as (_, scratch):
        yield scratch / "output"


@contextlib.contextmanager
def joined(
    table: TableFile, added: str, *, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[tuple[Path, int]]:
    """The rows of `table` and below them those of the Parquet file `added`, which has the same columns: a Parquet file that is removed at the
    end of the block, and how many rows it has. Raises: Unreadable, Busy.
    """
    with _child(
        {"operation": "join", "added": added, **_known(table)}, scratch_dir, Kind.LONG, owner
    ) as (answer, scratch):
        yield scratch / "output", answer["row_count"]


def _known(table: TableFile) -> dict[str, Any]:
    return {"path": table.path, "format": table.format, "schema": table.schema, "key": table.key}


@contextlib.contextmanager
def _child(
    request: dict[str, Any], scratch_dir: str, kind: Kind, owner: Owner
) -> Iterator[tuple[dict[str, Any], Path]]:
    _raise_remembered(request)
    with contextlib.ExitStack() as stack:
        with _slots.held(kind, owner, WAIT_SECONDS):
            _raise_remembered(request)  # one that waited for another reader of the same content
            outcome, scratch = stack.enter_context(run_child(request, _limits(kind), scratch_dir))
        if outcome.end is End.CRASH and (full := storage_problem(scratch_dir)) is not None:
            raise full  # not the file's fault
        try:
            answer = _answer(outcome)
        except Unreadable as error:
            if _repeats(outcome):
                _remember(request, error)
            raise
        yield answer, scratch


def _limits(kind: Kind) -> Limits:
    return Limits(
        seconds=SECONDS_MAX,
        cpu_seconds=CPU_SECONDS_MAX,
        address_bytes=ADDRESS_BYTES_MAX,
        resident_bytes=RESIDENT_BYTES_MAX,
        file_bytes=FILE_BYTES_MAX,
        nice=5 if kind is Kind.LONG else 0,
    )


def _answer(outcome: Outcome) -> dict[str, Any]:
    """Raises: Unreadable, Interrupted, Busy."""
    advice = "Split it, or upload it as Parquet."
    match outcome.end:
        case End.WALL_TIME:
            kind = Unreadable if outcome.cpu_seconds >= OWN_CPU_SECONDS else Interrupted
            raise kind(f"Reading the file took longer than {SECONDS_MAX} seconds. {advice}")
        case End.CPU_TIME:
            raise Unreadable(
                f"Reading the file took more than {CPU_SECONDS_MAX} seconds of computing. {advice}"
            )
        case End.MEMORY:
            raise Unreadable(f"Reading the file took more memory than is allowed. {advice}")
        case End.CRASH:
            crashed = Interrupted if outcome.code < 0 else Unreadable
            raise crashed(
                f"The file made its reader stop (exit {outcome.code}). It may be damaged: check it, or save it in another format."
            )
        case End.ANSWER_SIZE:
            raise Unreadable("The file's description is too large. Use fewer or simpler columns.")
    answer = outcome.answer
    if answer.get("passing"):
        raise Busy(answer["fault"], retry_after_seconds=60)
    if "fault" in answer:
        error = Unreadable(
            answer["fault"], detail={"engine": answer["detail"]} if answer.get("detail") else {}
        )
        error.sheets = answer.get("sheets", [])
        raise error
    found: dict[str, Any] = answer["ok"]
    return found


def _repeats(outcome: Outcome) -> bool:
    """Whether the same content would end so again. A child that failed by itself, or was killed from outside, may do better next time."""
    return outcome.end is not End.CRASH or (outcome.code < 0 and outcome.code != -signal.SIGKILL)


def _raise_remembered(request: dict[str, Any]) -> None:
    key = _content_key(request, only_if_refused=True)
    error = key and (_refusals.get(key) or _interruptions.get(key))
    if error:
        raise error.again()


def _remember(request: dict[str, Any], error: Unreadable) -> None:
    key = _content_key(request)
    if key:
        (_interruptions if isinstance(error, Interrupted) else _refusals).put(key, error.again())


def _content_key(request: dict[str, Any], *, only_if_refused: bool = False) -> str:
    """What the answer to `request` depends on; empty where that is not known.

    A file without a key is hashed. `only_if_refused`: not before a file of its size was refused, so that most files are read once only.
    """
    content = request.get("key", "")
    if not content and not os.path.isfile(request["path"]):
        return ""
    if not content:
        size = f"{os.path.getsize(request['path'])}"
        if only_if_refused and not _refused_sizes.get(size):
            return ""
        with open(request["path"], "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        _refused_sizes.put(size, True)
    parts = {
        name: value for name, value in request.items() if name not in ("path", "key", "schema")
    }
    return json.dumps([content, parts], sort_keys=True)
