"""Workbooks and compressed files, read by the parsing child like an upload."""

import datetime as dt
import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from projects.parsing import runner
from tests.support.workbooks import Cell, ods, xls, zipped

DAY = dt.date(2025, 1, 31)
SHEET: tuple[list[Cell], ...] = (
    ["Trips of the year"],
    [],
    ["id", "day", "code", "minutes"],
    [1, DAY, "007", 1.5],
    [2, DAY, "008", None],
)
CSV = b"id,day,code,minutes\n1,2025-01-31,007,1.5\n2,2025-01-31,008,\n"
JSONL = b'{"id":1,"day":"2025-01-31","code":"007","minutes":1.5}\n{"id":2,"day":"2025-01-31","code":"008","minutes":null}\n'  # noqa: E501
TYPES = ["BIGINT", "DATE", "VARCHAR", "DOUBLE"]
ROWS = [[1, "2025-01-31", "007", 1.5], [2, "2025-01-31", "008", None]]


def _parquet() -> bytes:
    file = io.BytesIO()
    columns: dict[str, Any] = {
        "id": [1, 2],
        "day": [DAY, DAY],
        "code": ["007", "008"],
        "minutes": [1.5, None],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _zstd(content: bytes) -> bytes:
    return bytes(pyarrow.compress(content, "zstd", asbytes=True))


def _read(folder: Path, files: dict[str, bytes]) -> dict[str, Any]:
    """Return the parsing child's answer for each file: a reading or the refusal."""

    def read(name: str) -> Any:
        path = folder / name
        path.write_bytes(files[name])
        try:
            return runner.inspect(str(path), options={}, rows=10, scratch_dir=str(folder))
        except runner.Unreadable as error:
            return error.message

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(files, pool.map(read, files), strict=True))


def test_workbooks_and_packed_files_become_the_same_table(tmp_path: Path) -> None:
    files = {
        "a.xls": xls(*SHEET),
        "b.ods": ods(*SHEET),
        "c.xls.gz": gzip.compress(xls(*SHEET)),
        "d.csv.zst": _zstd(CSV),
        "e.jsonl.zst": _zstd(JSONL),
        "f.parquet.gz": gzip.compress(_parquet()),
        "g.zip": zipped({"trips.csv": CSV}),
        "h.zip": zipped(
            {
                "data/trips.jsonl": JSONL,
                "__MACOSX/data/._trips.jsonl": b"\x00\x05\x16\x07",
                "data/._x": b"\x00\x05\x16\x07",
            }
        ),
        "i.zip": zipped({"trips.parquet": _parquet()}),
        "j.zip": zipped({"trips.ods": ods(*SHEET)}),
    }
    for name, found in _read(tmp_path, files).items():
        assert not isinstance(found, str), (name, found)
        assert ([column["type"] for column in found.schema], found.rows) == (TYPES, ROWS), name
        assert found.packing == {"gz": "gzip", "zst": "zstd", "zip": "zip"}.get(
            name.rsplit(".", 1)[-1], ""
        ), name


def test_an_archive_that_is_not_one_table_is_refused_with_what_it_is(tmp_path: Path) -> None:
    tar = b"trips.csv".ljust(257, b"\x00") + b"ustar" + bytes(250) + CSV
    files = {
        "two.zip": zipped({"a.csv": CSV, "b.csv": CSV}),
        "none.zip": zipped({"folder/": b""}),
        "nested.zip": zipped({"inner.zip": zipped({"a.csv": CSV})}),
        "nested.gz": gzip.compress(_zstd(CSV)),
        "tar.gz": gzip.compress(tar),
        "bomb.zip": zipped({"a.csv": bytes(80_000_000)}),
        "bomb.zst": _zstd(bytes(80_000_000)),
        "cut.zst": _zstd(CSV)[:-6],
        "cut.zip": zipped({"a.csv": CSV})[:-40],
        "macos.csv": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
    }
    said = {
        "two.zip": "must have one file, and has 2 (a.csv, b.csv)",
        "none.zip": "must have one file, and has 0",
        "nested.zip": "The zip file contains a zip file",
        "nested.gz": "The gzip file contains a zstd file",
        "tar.gz": "contains a tar archive",
        "bomb.zip": "more than 200 times its size",
        "bomb.zst": "more than 200 times its size",
        "cut.zst": "The zstd file is damaged or truncated",
        "cut.zip": "The zip file is damaged or truncated",
        "macos.csv": "The file is a macOS metadata file",
    }
    found = _read(tmp_path, files)
    for name, sentence in said.items():
        assert isinstance(found[name], str), name
        assert sentence in found[name], (name, found[name])


@pytest.mark.parametrize("make", [xls, ods])
def test_a_damaged_workbook_is_reported(tmp_path: Path, make: Any) -> None:
    content = make(*SHEET)
    found = _read(tmp_path, {"cut": content[: len(content) // 2]})["cut"]
    assert isinstance(found, str)
    assert "damaged" in found
