"""Compare our reading of a folder's table files with pandas.

`python -m tests.checks.tables <folder> [--all]` reports for each file: accepted or the reason for
rejection, rows, types compared with those of pandas, a checksum of the values, and columns whose
values differ from the file's text without a warning. Prints files with differences, or all with
`--all`, and a summary.

Exceptions, which count as neither refused nor different:

* A file that starts as AppleDouble (written by macOS beside a file) is not a table.
* One JSON object that is the whole file and holds no list of objects is one row. pandas repeats
  its scalars per element of its longest list, or makes a row per key of an inner object.
* A table beyond the stated limit of columns is refused with the limit.
"""

import csv
import gzip
import hashlib
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mimir.lib.reading.container import APPLE_DOUBLE
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.read import Reading, read_table
from mimir.lib.tables import COLUMNS_MAX, NotATable
from tests.support.reading import connect, rows_of, types_of

PLAIN = (
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".arrow",
    ".feather",
    ".xlsx",
    ".xls",
    ".ods",
)
SUFFIXES = (*PLAIN, *(f"{suffix}.gz" for suffix in PLAIN), ".csv.zip")
CELLS_MAX = 2_000_000


@dataclass
class Result:
    """Result of one file. `exception` says why it counts as neither refused nor different."""

    name: str
    fault: str = ""
    exception: str = ""
    rows: int = 0
    types: dict[str, str] = field(default_factory=dict)
    checksum: str = ""
    warned: list[str] = field(default_factory=list)
    pandas: dict[str, str] | None = None
    pandas_rows: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main(folder: Path, *, every: bool) -> int:
    """Print the report; the exit status says whether a file failed a target."""
    results, litter = [], 0
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not path.name.lower().endswith(SUFFIXES):
            continue
        with path.open("rb") as file:
            if file.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE:
                litter += 1
                continue
        results.append(_result(path, folder))
        if every or results[-1].differences or results[-1].fault:
            _print(results[-1])
    refused = [result for result in results if result.fault]
    wrongly = [result for result in refused if result.pandas is not None and not result.exception]
    silent = [result for result in results if result.differences]
    print(
        f"{len(results)} tables: {len(results) - len(refused)} accepted, {len(refused)} refused, "
        f"{len(wrongly)} of them read by pandas as a table; "
        f"{len(silent)} with values that differ without a warning. Beside them {litter} "
        "AppleDouble files, which are no tables."
    )
    for reason, count in Counter(
        result.exception for result in results if result.exception
    ).items():
        print(f"    exception for {count}: {reason}")
    return 1 if wrongly or silent else 0


def _result(path: Path, folder: Path) -> Result:
    result = Result(str(path.relative_to(folder)))
    started = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        try:
            found = read_table(connect, path, Path(work), ReadOptions())
        except NotATable as error:
            result.fault = error.message
            if f"At most {COLUMNS_MAX} are accepted" in error.message:
                result.exception = f"more than {COLUMNS_MAX} columns"
            found = None
        result.seconds = time.process_time() - started
        _beside_pandas(result, path)
        if found is not None:
            _describe(result, found, path)
    return result


def _describe(result: Result, found: Reading, path: Path) -> None:
    result.rows, result.types = found.row_count, types_of(found)
    result.warned = [warning["message"] for warning in found.warnings]
    if found.row_count * max(1, len(found.schema)) <= CELLS_MAX:
        rows = rows_of(found)
        result.checksum = hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
        if found.format in ("csv", "json", "jsonl"):
            result.differences = (_csv_differences if found.format == "csv" else _json_differences)(
                found, rows, path
            )
    if result.pandas is not None and result.pandas_rows != found.row_count and not result.warned:
        if found.format in ("json", "jsonl") and found.row_count == 1:
            result.exception = "one JSON object is one row; pandas repeats or spreads it"
        else:
            result.differences.append(f"{found.row_count} rows, pandas has {result.pandas_rows}")


def _opened(path: Path, encoding: str) -> IO[str]:
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    return (
        gzip.open(path, "rt", encoding=encoding, newline="")
        if path.suffix == ".gz"
        else path.open(encoding=encoding, newline="")
    )


def _csv_differences(found: Reading, rows: list[tuple[Any, ...]], path: Path) -> list[str]:
    """Return the columns with a value that differs from Python's csv module, without a warning."""
    if found.packing == "zip":
        return []
    quote = str(found.options["quote"]).replace("none", "")
    with _opened(path, str(found.options["encoding"])) as file:
        quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        reader = csv.reader(
            file,
            delimiter=str(found.options["delimiter"]),
            quotechar=quote or None,
            quoting=quoting,
        )
        texts = [
            row
            for row in reader
            if len(row) > 1 or (row and (row[0].strip() or len(found.schema) == 1))
        ]
    body = texts[-found.row_count :] if found.row_count else []
    if len(body) != found.row_count:
        return [f"{found.row_count} rows, the file has {len(body)}"]
    left_out = len(texts) - found.row_count - (1 if found.options["header_row"] else 0)
    if left_out and not any(
        "skipped" in message or "not part of the table" in message for message in _messages(found)
    ):
        return [f"{left_out} lines are not in the table"]
    return _differing(found, rows, body, lambda value, text: _same(value, text))


def _json_differences(found: Reading, rows: list[tuple[Any, ...]], path: Path) -> list[str]:
    """Return the columns with a value that differs from Python's json module, without a warning."""
    with _opened(path, str(found.options["encoding"])) as file:
        text = file.read()
    decoder, values, place = (
        json.JSONDecoder(parse_int=_Number, parse_float=_Number),
        list[Any](),
        0,
    )
    while (place := len(text) - len(text[place:].lstrip())) < len(text):
        value, place = decoder.raw_decode(text, place)
        values += value if isinstance(value, list) else [value]
    for key in filter(None, str(found.options["records_path"]).split(".")):
        values = values[0][key] if isinstance(values, list) else values[key]
    if not isinstance(values, list) or len(values) != found.row_count:
        return [f"{found.row_count} rows, the file has {len(values)}"]
    body = [[value.get(column["name"]) for column in found.schema] for value in values]
    return _differing(found, rows, body, _same_json)


class _Number(str):
    """Number as written in the file."""


def _differing(
    found: Reading,
    rows: list[tuple[Any, ...]],
    body: list[list[Any]],
    same: Callable[[Any, Any], bool],
) -> list[str]:
    differing = []
    for index, column in enumerate(found.schema):
        if any(f"Column {column['name']}" in message for message in _messages(found)):
            continue
        for row, texts in zip(rows, body, strict=True):
            text = texts[index] if index < len(texts) else ""
            if not same(row[index], text):
                differing.append(f"{column['name']}: {text!r} is {row[index]!r}")
                break
    return differing


def _same_json(value: str | None, written: Any) -> bool:
    if written is None or value is None:
        return written in (None, "") and value in (None, "")
    if isinstance(written, bool):
        return value == str(written).lower()
    if isinstance(written, list | dict):
        return True  # nested values are compared by the tests
    if isinstance(written, _Number) and written.lstrip("-").isdigit():
        return int(written) == float(value) if "." in value else written == value
    return value == written or _same(value, str(written))


def _messages(found: Reading) -> list[str]:
    return [warning["message"] for warning in found.warnings]


def _same(value: str | None, text: str) -> bool:
    """Return whether a stored value, as text, equals the cell."""
    if value is None:
        return not text.strip()
    if value == text or value == text.strip() or value.lower() == text.strip().lower():
        return True
    try:
        return float(value) == float(text) or (
            float(value) != float(value) and float(text) != float(text)
        )
    except ValueError:
        pass
    digits = "".join(character for character in text if character.isdigit()).ljust(14, "0")
    return "".join(character for character in value if character.isdigit()).ljust(14, "0")[
        : len(digits)
    ].rstrip("0") == digits.rstrip("0")


def _beside_pandas(result: Result, path: Path) -> None:
    import pandas

    name = path.name.lower().removesuffix(".gz").removesuffix(".zip")
    readers: dict[str, Callable[[], Any]] = {
        ".csv": lambda: pandas.read_csv(path, low_memory=False),
        ".tsv": lambda: pandas.read_csv(path, sep="\t", low_memory=False),
        ".jsonl": lambda: pandas.read_json(path, lines=True),
        ".ndjson": lambda: pandas.read_json(path, lines=True),
        ".json": lambda: pandas.read_json(path),
        ".parquet": lambda: pandas.read_parquet(path),
        ".arrow": lambda: pandas.read_feather(path),
        ".feather": lambda: pandas.read_feather(path),
        ".xlsx": lambda: pandas.read_excel(path, engine="calamine"),
        ".xls": lambda: pandas.read_excel(path, engine="calamine"),
        ".ods": lambda: pandas.read_excel(path, engine="calamine"),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = readers[Path(name).suffix]()
    except Exception:  # pandas raises many kinds; a file it cannot read has no comparison
        return
    if len(frame.columns) or len(frame):  # an empty sheet is not a table
        result.pandas, result.pandas_rows = (
            {str(column): str(kind) for column, kind in frame.dtypes.items()},
            len(frame),
        )


def _print(result: Result) -> None:
    print(flush=True)
    print(
        f"{result.name}: "
        f"{'refused: ' + result.fault if result.fault else f'{result.rows} rows, {result.checksum}, {result.seconds:.2f} s'}"  # noqa: E501
    )
    for name, kind in list(result.types.items())[:30]:
        print(f"    {name}: {kind} | pandas {(result.pandas or {}).get(name, '-')}")
    for sentence in result.warned[:10]:
        print(f"    warning: {sentence}")
    for difference in result.differences[:10]:
        print(f"    DIFFERS: {difference}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--all"]
    sys.exit(main(Path(arguments[0]), every="--all" in sys.argv))
