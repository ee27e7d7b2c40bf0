"""The tables of a run: where they lie, and DuckDB over them, which can reach nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed
from mimir.lib.tables import identifier, quoted

MEMORY_SHARE = 0.7  # of the job's limit: DuckDB counts less than the process uses


@dataclass(slots=True)
class Table:
    """A step's table: a Parquet file. `rows` is None where nobody has counted."""

    path: Path
    rows: int | None = None


@dataclass(slots=True)
class Tables:
    """The tables made so far, by step id."""

    folder: Path
    memory_bytes: int
    cpu_millicores: int
    made: dict[str, Table] = field(default_factory=dict)

    def path(self, step: str) -> Path:
        """Where the table of `step` is written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{step}.parquet"

    def connect(
        self, *, readable: Iterable[Path], writable: Path | None = None, folder: Path | None = None
    ) -> Any:
        """DuckDB that may open exactly these files and what is in `folder`, with the job's memory and cores."""
        import duckdb

        temporary = self.folder / "spill"
        temporary.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{int(self.memory_bytes * MEMORY_SHARE)}B",
                "threads": max(1, self.cpu_millicores // 1000),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "preserve_insertion_order": "true",
            },
        )
        allowed = [*readable, *([writable] if writable is not None else [])]
        for setting in (
            "TimeZone = 'UTC'",
            *(
                ["disabled_optimizers = 'common_subexpressions'"] if folder is not None else []
            ),  # slow for wide tables that are read
            f"allowed_paths = [{', '.join(quoted(str(path)) for path in allowed)}]",
            f"allowed_directories = [{quoted(str(folder)) if folder is not None else ''}]",
            f"temp_directory = {quoted(str(temporary))}",
            "max_temp_directory_size = '64GB'",
            "enable_external_access = false",
        ):
            connection.execute(f"SET {setting}")
        return connection

    def rows(self, step: str) -> int:
        """The number of rows of a table."""
        table = self.made[step]
        if table.rows is None:
            found = (
                self.connect(readable=[table.path])
                .execute(f"SELECT count(*) FROM read_parquet({quoted(str(table.path))})")
                .fetchone()
            )
            table.rows = int(found[0])
        return table.rows

    def schema(self, step: str) -> list[dict[str, str]]:
        """[{"name", "type"}] of a table, types as DuckDB names them."""
        path = self.made[step].path
        described = (
            self.connect(readable=[path])
            .execute(f"DESCRIBE SELECT * FROM read_parquet({quoted(str(path))})")
            .fetchall()
        )
        return [{"name": row[0], "type": row[1]} for row in described]


def view_sql(step: str, path: Path) -> str:
    """A view called as the step over its file."""
    return f"CREATE VIEW {identifier(step)} AS SELECT * FROM read_parquet({quoted(str(path))})"


def copy_to(connection: Any, select: str, path: Path) -> int:
    """Write the rows of one SELECT as Parquet; how many. Raises: WorkFailed with DuckDB's complaint."""
    import duckdb

    try:
        # The line end closes a comment the query may end with; the query was parsed as exactly one SELECT before.
        stored = _storable(connection, f"(\n{select}\n)")
        row = connection.execute(
            f"COPY ({stored}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    except duckdb.OutOfMemoryException as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except (duckdb.Error, RuntimeError) as error:
        raise WorkFailed(FailureReason.WORKLOAD_FAILED, in_our_words(str(error))) from error
    return int(row[0]) if row else 0


def _storable(connection: Any, source: str) -> str:
    """A SELECT of `source` whose types Parquet has: a sum of whole numbers is a HUGEINT, which would silently become a double."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    casts = [
        f"CAST({identifier(row[0])} AS BIGINT) AS {identifier(row[0])}"
        for row in described
        if row[1] in ("HUGEINT", "UHUGEINT")
    ]
    return (
        f"SELECT * REPLACE ({', '.join(casts)}) FROM {source}"
        if casts
        else f"SELECT * FROM {source}"
    )


def in_our_words(complaint: str) -> str:
    """DuckDB's first line, without the statement around it."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    first = lines[0] if lines else "The query failed."
    hint = next((line.strip() for line in lines[1:] if line.lstrip().startswith("Candidate")), "")
    return f"{first[:600]} {hint[:300]}".strip()
