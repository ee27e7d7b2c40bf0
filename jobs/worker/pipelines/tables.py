"""The tables of a run as Parquet files, and DuckDB connections that can open nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed
from mimir.lib.table_shapes import ColumnType
from mimir.lib.tables import identifier, quoted

MEMORY_SHARE = 0.7  # of the job's limit: the process uses more memory than DuckDB counts


@dataclass(slots=True)
class Table:
    """One table: a Parquet file. `rows`: None until the rows are counted."""

    path: Path
    rows: int | None = None


@dataclass(slots=True)
class Tables:
    """The tables of one run, and the memory and cores that DuckDB may use for them."""

    folder: Path
    memory_bytes: int
    cpu_millicores: int
    by_name: dict[str, Table] = field(default_factory=dict)
    _shared: Any = field(default=None, repr=False)  # DuckDB of all sessions

    def path(self, step: str) -> Path:
        """Return the path of the table of `step`; create its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{step}.parquet"

    def connect(
        self, *, readable: Iterable[Path], writable: Path | None = None, folder: Path | None = None
    ) -> Any:
        """Connect to a DuckDB that can open these files and the files in `folder`, no others.

        It is limited to the job's memory and cores.
        """
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
            "GLOBAL TimeZone = 'UTC'",
            f"allowed_paths = [{', '.join(quoted(str(path)) for path in allowed)}]",
            f"allowed_directories = [{quoted(str(folder)) if folder is not None else ''}]",
            f"temp_directory = {quoted(str(temporary))}",
            "max_temp_directory_size = '64GB'",
            "enable_external_access = false",
        ):
            connection.execute(f"SET {setting}")
        return connection

    def session(self) -> Any:
        """Return a connection that can open the tables of this run, and nothing else.

        All sessions share one DuckDB, because starting another takes as long as most queries. A
        session does not see temporary views of others, and cannot change a setting.
        """
        if self._shared is None:
            self._shared = self.connect(readable=(), folder=self.folder)
            self._shared.execute("SET lock_configuration = true")
        return self._shared.cursor()

    def rows(self, step: str) -> int:
        """Return the number of rows of a table; the first call counts them."""
        table = self.by_name[step]
        if table.rows is None:
            found = (
                self.session()
                .execute(f"SELECT count(*) FROM read_parquet({quoted(str(table.path))})")
                .fetchone()
            )
            table.rows = int(found[0])
        return table.rows

    def schema(self, step: str) -> list[ColumnType]:
        """Return [{"name", "type"}] of a table. Types are DuckDB's."""
        path = self.by_name[step].path
        described = (
            self.session()
            .execute(f"DESCRIBE SELECT * FROM read_parquet({quoted(str(path))})")
            .fetchall()
        )
        return [{"name": row[0], "type": row[1]} for row in described]


def view_sql(step: str, path: Path) -> str:
    """Return SQL that creates a view of the file, named by the step, in the session."""
    return f"CREATE TEMP VIEW {identifier(step)} AS SELECT * FROM read_parquet({quoted(str(path))})"


def copy_to(connection: Any, select: str, path: Path) -> int:
    """Write the rows of one SELECT as Parquet and return their number.

    Raises: WorkFailed, with DuckDB's message.
    """
    import duckdb

    try:
        # The query is known to be one SELECT. The line break ends a comment at the query's end.
        stored = _storable(connection, f"(\n{select}\n)")
        row = connection.execute(
            f"COPY ({stored}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    except duckdb.OutOfMemoryException as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except (duckdb.Error, RuntimeError) as error:
        raise WorkFailed(FailureReason.WORKLOAD_FAILED, short_message(str(error))) from error
    return int(row[0]) if row else 0


def _storable(connection: Any, source: str) -> str:
    """Return a SELECT of `source` in types that Parquet has.

    A sum of integers is a HUGEINT, which would be written as a double without an error.
    """
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


def short_message(message: str) -> str:
    """Return the first line of a DuckDB error message and its hint, without the statement."""
    lines = [line for line in message.splitlines() if line.strip()]
    first = lines[0] if lines else "The query failed."
    hint = next((line.strip() for line in lines[1:] if line.lstrip().startswith("Candidate")), "")
    return f"{first[:600]} {hint[:300]}".strip()
