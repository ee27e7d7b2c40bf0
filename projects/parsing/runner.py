"""Read table files in parsing children, and turn the end of a child into a result or an error.

`slots.py` limits the children. A refusal is cached by content: a file that used up its limits once
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
from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.table_shapes import Choices, ColumnInfo, ColumnType, SheetChoice, WarningInfo
from projects.parsing.cache import ExpiringCache
from projects.parsing.child_process import End, Limits, Outcome, run_child
from projects.parsing.messages import (
    ColumnProfileBody,
    FileRequest,
    ProfileRequest,
    ReadRequest,
    ReadResult,
    TableRequest,
)
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
PROFILE_CPU_SECONDS = 40.0  # a description then returns the columns it has
# DuckDB limits itself to 256 MB; the rest is memory outside its accounting.
RESIDENT_BYTES_MAX = 768 * 1024**2
ADDRESS_BYTES_MAX = 1280 * 1024**2  # about 250 MiB of it are libraries and reserved memory
FILE_BYTES_MAX = 2 * 1024**3  # a converted copy, or a spill file of DuckDB
# A reader with at least this CPU time hit its time limit because of the file, not the machine.
OWN_CPU_SECONDS = 25.0
_NOBODY = Owner()
_slots = file_slots()
_refusals: "ExpiringCache[Unreadable]" = ExpiringCache(entries=2000, weight=2000, seconds=3600)
_interruptions: "ExpiringCache[Unreadable]" = ExpiringCache(entries=500, weight=500, seconds=600)
_refused_sizes: ExpiringCache[bool] = ExpiringCache(entries=2000, weight=2000, seconds=3600)


class Unreadable(MimirError):
    """The file cannot be read as a table; the message says why. Answered with 400.

    `sheets` are those of a workbook.
    """

    status, code = 400, "unreadable_file"
    sheets: Sequence[SheetChoice] = ()

    def again(self) -> "Unreadable":
        """Return the same refusal for another request."""
        error = type(self)(self.message, detail=self.detail)
        error.sheets = self.sheets
        return error


class Interrupted(Unreadable):
    """Reading was stopped by a time limit or from outside. The same file may be readable later."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A local table file. `key` identifies its content and schema; it is empty if unknown."""

    path: str
    format: str
    schema: list[ColumnType]
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Result of reading a file. `options` are the ones in effect, detected or chosen.

    `table` is a Parquet file with the rows, or None if the file itself is one or if no table was
    requested. `rows` and `cells` are the first rows, typed and as text of the file. `complete` is
    false if only the beginning was read.
    """

    format: str
    packing: str
    options: ReadOptionsBody
    schema: list[ColumnInfo]
    row_count: int
    warnings: list[WarningInfo]
    complete: bool
    lines: list[str]
    choices: Choices
    rows: list[list[Any]]
    cells: list[list[Any]]
    table: Path | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows as JSON values. `truncated`: the table has more rows."""

    rows: list[list[Any]]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """Description of each column (see `column_profile.py`). `fault` is about omitted columns, or
    empty.
    """

    columns: list[ColumnProfileBody]
    fault: str


def inspect(
    path: str,
    *,
    options: ReadOptionsBody,
    rows: int,
    sample: bool = False,
    scratch_dir: str,
    owner: Owner = _NOBODY,
) -> ReadFile:
    """Read a file with its first `rows` rows; with `sample` only its beginning.

    Raises: Unreadable, Busy.
    """
    request: ReadRequest = {
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
    path: str, *, options: ReadOptionsBody, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[ReadFile]:
    """Read a file and provide its table, which is removed after the block.

    Raises: Unreadable, Busy.
    """
    request: ReadRequest = {
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
    path: str, readings: Sequence[ReadOptionsBody], *, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[list[ReadFile]]:
    """Read a file once for each of `readings`, and provide the results with their tables.

    The limits of one reading hold for all together. Types of columns that a table does not have are
    ignored. The tables are removed after the block. Raises: Unreadable, Busy.
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


def _read_file(result: ReadResult, table: Path | None) -> ReadFile:
    return ReadFile(
        format=result["format"],
        packing=result["packing"],
        options=result["options"],
        schema=result["schema"],
        row_count=result["row_count"],
        warnings=result["warnings"],
        complete=result["complete"],
        lines=result["lines"],
        choices=result["choices"],
        rows=result.get("rows", []),
        cells=result.get("cells", []),
        table=table,
    )


def preview(table: TableFile, *, limit: int, scratch_dir: str, owner: Owner = _NOBODY) -> Preview:
    """Return the first `limit` rows. Raises: Unreadable, Busy."""
    with _child(
        {"operation": "rows", "limit": limit, **_table_fields(table)},
        scratch_dir,
        Kind.PREVIEW,
        owner,
    ) as (answer, _):
        return Preview(rows=answer["rows"], truncated=answer["truncated"])


def profile(table: TableFile, *, scratch_dir: str, owner: Owner = _NOBODY) -> Profile:
    """Describe each column. Raises: Unreadable, Interrupted, Busy."""
    request: ProfileRequest = {
        "operation": "profile",
        "profile_cpu_seconds": PROFILE_CPU_SECONDS,
        **_table_fields(table),
    }
    with _child(request, scratch_dir, Kind.LONG, owner) as (answer, _):
        return Profile(columns=answer["columns"], fault=answer["fault"])


@contextlib.contextmanager
def converted(
    table: TableFile, *, to: str, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[Path]:
    """Provide the table as `csv` or `parquet` in a file that is removed after the block.

    Raises: Unreadable, Busy.
    """
    with _child(
        {"operation": "convert", "to": to, **_table_fields(table)}, scratch_dir, Kind.LONG, owner
    ) as (_, scratch):
        yield scratch / "output"


@contextlib.contextmanager
def joined(
    table: TableFile, added: str, *, scratch_dir: str, owner: Owner = _NOBODY
) -> Iterator[tuple[Path, int]]:
    """Provide the rows of `table`, then those of `added`, as a Parquet file with its row count.

    `added` is a Parquet file with the same columns. The result is removed after the block. Raises:
    Unreadable, Busy.
    """
    with _child(
        {"operation": "join", "added": added, **_table_fields(table)}, scratch_dir, Kind.LONG, owner
    ) as (answer, scratch):
        yield scratch / "output", answer["row_count"]


def _table_fields(table: TableFile) -> TableRequest:
    return {"path": table.path, "format": table.format, "schema": table.schema, "key": table.key}


@contextlib.contextmanager
def _child(
    request: FileRequest, scratch_dir: str, kind: Kind, owner: Owner
) -> Iterator[tuple[Any, Path]]:
    _raise_cached_refusal(request)
    with contextlib.ExitStack() as stack:
        with _slots.held(kind, owner, WAIT_SECONDS):
            _raise_cached_refusal(request)  # a reader of the same content may have ended meanwhile
            outcome, scratch = stack.enter_context(run_child(request, _limits(kind), scratch_dir))
        if outcome.end is End.CRASH and (full := storage_problem(scratch_dir)) is not None:
            raise full  # the disk and not the file is the cause
        try:
            answer = _answer(outcome)
        except Unreadable as error:
            if _repeats(outcome):
                _cache_refusal(request, error)
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


def _answer(outcome: Outcome) -> Any:
    """Return the child's result. Raises: Unreadable, Interrupted, Busy."""
    advice = "Split it, or upload it as Parquet."
    match outcome.end:
        case End.WALL_TIME:
            kind = Unreadable if outcome.cpu_seconds >= OWN_CPU_SECONDS else Interrupted
            raise kind(f"Reading the file took longer than {SECONDS_MAX} seconds. {advice}")
        case End.CPU_TIME:
            raise Unreadable(
                f"Reading the file took more than {CPU_SECONDS_MAX} seconds of CPU time. {advice}"
            )
        case End.MEMORY:
            raise Unreadable(f"Reading the file took more memory than is allowed. {advice}")
        case End.CRASH:
            crashed = Interrupted if outcome.code < 0 else Unreadable
            raise crashed(
                f"The file crashed its reader (exit code {outcome.code}). It may be damaged."
                " Check it, or save it in another format."
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
    return answer["ok"]


def _repeats(outcome: Outcome) -> bool:
    """Return whether the child would end in the same way for the same content.

    A child that failed by itself, or was killed from outside, may succeed next time.
    """
    return outcome.end is not End.CRASH or (outcome.code < 0 and outcome.code != -signal.SIGKILL)


def _raise_cached_refusal(request: FileRequest) -> None:
    key = _content_key(request, only_if_refused=True)
    error = key and (_refusals.get(key) or _interruptions.get(key))
    if error:
        raise error.again()


def _cache_refusal(request: FileRequest, error: Unreadable) -> None:
    key = _content_key(request)
    if key:
        (_interruptions if isinstance(error, Interrupted) else _refusals).put(key, error.again())


def _content_key(request: FileRequest, *, only_if_refused: bool = False) -> str:
    """Return the key of everything the answer depends on; empty if unknown.

    A file without a key is hashed. With `only_if_refused` this happens only if a file of that size
    was refused before, so that most files are read once only.
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
