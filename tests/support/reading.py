"""Read file content with the parser in this process, without a child process."""

from pathlib import Path
from typing import Any

import duckdb

from mimir.lib.inspection import run_sql
from mimir.lib.reading.options import ReadOptionsBody, options_of
from mimir.lib.reading.read import Reading, read_table
from mimir.lib.tables import identifier, quoted
from tests.support.typed_dicts import faults


def connect(files: list[str], folder: str) -> Any:
    """Open DuckDB with the limits of the parsing child."""
    connection = duckdb.connect(config={"memory_limit": "512MB", "threads": 1})
    for setting in (
        "TimeZone = 'UTC'",
        # takes time quadratic in the number of columns
        "disabled_optimizers = 'common_subexpressions'",
        f"allowed_paths = [{', '.join(map(quoted, files))}]",
        f"allowed_directories = [{quoted(folder)}]",
        f"temp_directory = {quoted(folder + '/spill')}",
        "enable_external_access = false",
    ):
        connection.execute(f"SET {setting}")
    return connection


def read_bytes(
    folder: Path, content: bytes, *, name: str = "holiday.jpg", **options: Any
) -> Reading:
    """Parse a file with this content."""
    folder.mkdir(exist_ok=True)
    path, work = folder / name, folder / "work"
    path.write_bytes(content)
    work.mkdir()
    found = read_table(connect, path, work, options_of(options))
    assert faults(found.options, ReadOptionsBody) == []
    return found


def types_of(found: Reading) -> dict[str, str]:
    """Return the type of each column by name."""
    return {column["name"]: column["type"] for column in found.schema}


def rows_of(found: Reading) -> list[tuple[Any, ...]]:
    """Return all rows, with every value as text."""
    cells = ", ".join(f"CAST({identifier(column['name'])} AS VARCHAR)" for column in found.schema)
    return run_sql(found.connection, f"SELECT {cells} FROM ({found.rows_sql})")


def codes_of(found: Reading) -> list[str]:
    """Return the codes of the warnings."""
    return [warning["code"] for warning in found.warnings]
