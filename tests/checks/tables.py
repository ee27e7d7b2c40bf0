"""Read all table files of a folder beside pandas: `python -m tests.checks.tables <folder> [--all]`.

For each file: accepted or refused with the reason, rows, types beside those of pandas' own reading of the same file, a checksum of the values,
and columns whose values differ from the file's text without a warning. Prints files with differences, or all with `--all`, and a summary.
"""

import csv
import hashlib
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.read import Reading, read_table
from mimir.lib.tables import NotATable
from tests.support.reading import connect, rows_of, types_of

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".ods", ".csv.gz", ".csv.zip")
CELLS_MAX = 2_000_000


@dataclass
class Result:
    """What became of one file."""

    name: str
    fault: str = ""
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
    results = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.lower().endswith(SUFFIXES):
            results.append(_result(path, folder))
            if every or results[-1].differences or results[-1].fault:
                _print(results[-1])
    refused = [result for result in results if result.fault]
    wrongly = [result for result in refused if result.pandas is not None]
    silent = [result for result in results if result.differences]
    print(
        f"{len(results)} files: {len(results) - len(refused)} accepted, {len(refused)} refused, {len(wrongly)} of them read by pandas as a table; "
        f"{len(silent)} with values that differ without a warning"
    )
    return 1 if wrongly or silent else 0


def _result(path: Path, folder: Path) -> Result:
    result = Result(str(path.relative_to(folder)))
    started = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        try:
            found = read_table(connect, path, Path(work), ReadOptions())
        except NotATable as error:
            result.fault = error.message
            found = None
        result.seconds = time.process_time() - started
        _beside_pandas(result, path)
        if found is not None:
            _describe(result, found, path)
    return result


def _describe(result: Result, found: Reading, path: Path) -> None:
    result.rows, result.types = found.row_count, types_of(found)
    result.warned = [warning["message"] for warning in found.warnings]
    if found.row_count * max(1, len(found.schema)) > CELLS_MAX:
        return
    rows = rows_of(found)
    result.checksum = hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
    if found.format == "csv":
        result.differences = _differences(found, rows, path)
    if result.pandas is not None and result.pandas_rows != found.row_count and not result.warned:
        result.differences.append(f"{found.row_count} rows, pandas has {result.pandas_rows}")


def _differences(found: Reading, rows: list[tuple[Any, ...]], path: Path) -> list[str]:
    """Columns with a value that is not what Python's csv module reads, and no warning that names the column."""
    if found.packing or found.options["encoding"] != "utf-8" or found.options["header_row"] == 0:
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=found.options["delimiter"])
        texts = [row for row in reader if row]
    body = texts[-found.row_count :] if found.row_count else []
    if len(body) != found.row_count:
        return [f"{found.row_count} rows, the file has {len(body)}"]
    differing = []
    for index, column in enumerate(found.schema):
        warned = any(f"Column {column['name']}" in message for message in result_messages(found))
        for row, text in zip(rows, body, strict=True):
            cell = text[index] if index < len(text) else ""
            if not warned and not _same(row[index], cell):
                differing.append(f"{column['name']}: {cell!r} is {row[index]!r}")
                break
    return differing


def result_messages(found: Reading) -> list[str]:
    """The sentences of the warnings."""
    return [warning["message"] for warning in found.warnings]


def _same(value: str | None, text: str) -> bool:
    """Whether a stored value, as text, says the same as the cell."""
    if value is None:
        return not text.strip()
    if value == text or value == text.strip() or value.lower() == text.strip().lower():
        return True
    try:
        return float(value) == float(text) or (float(value) != float(value) and float(text) != float(text))
    except ValueError:
        pass
    digits = "".join(character for character in text if character.isdigit()).ljust(14, "0")
    return "".join(character for character in value if character.isdigit()).ljust(14, "0")[: len(digits)].rstrip("0") == digits.rstrip("0")


def _beside_pandas(result: Result, path: Path) -> None:
    import pandas

    name = path.name.lower()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if ".csv" in name:
                frame = pandas.read_csv(path, low_memory=False)
            elif name.endswith(".tsv"):
                frame = pandas.read_csv(path, sep="\t", low_memory=False)
            elif name.endswith((".jsonl", ".ndjson")):
                frame = pandas.read_json(path, lines=True)
            elif name.endswith(".json"):
                frame = pandas.read_json(path)
            elif name.endswith(".parquet"):
                frame = pandas.read_parquet(path)
            elif name.endswith((".arrow", ".feather")):
                frame = pandas.read_feather(path)
            else:
                return
    except Exception:  # pandas raises many kinds; a file it cannot read has no comparison
        return
    result.pandas, result.pandas_rows = {str(column): str(kind) for column, kind in frame.dtypes.items()}, len(frame)


def _print(result: Result) -> None:
    print(flush=True)
    print(f"{result.name}: {'refused: ' + result.fault if result.fault else f'{result.rows} rows, {result.checksum}, {result.seconds:.2f} s'}")
    for name, kind in list(result.types.items())[:30]:
        print(f"    {name}: {kind} | pandas {(result.pandas or {}).get(name, '-')}")
    for sentence in result.warned[:10]:
        print(f"    warning: {sentence}")
    for difference in result.differences[:10]:
        print(f"    DIFFERS: {difference}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--all"]
    sys.exit(main(Path(arguments[0]), every="--all" in sys.argv))
