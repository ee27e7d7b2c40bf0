"""DuckDB with the restrictions of a `sql` step.

Even a statement that no check has seen can read only the given tables.
"""

from pathlib import Path

import duckdb
import pytest

from jobs.contract import FailureReason
from jobs.worker.pipelines.tables import Tables, copy_to, view_sql
from jobs.worker.workload_context import WorkFailed

SECRET = "only-for-its-owner"
MIB = 1024 * 1024


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """A table `a`, and a private file outside the scratch folder."""
    (tmp_path / "secret.csv").write_text(f"a\n{SECRET}\n")
    duckdb.connect(str(tmp_path / "secret.db")).execute("CREATE TABLE t AS SELECT 1").close()
    created = Tables(tmp_path / "scratch", memory_bytes=256 * MIB, cpu_millicores=1000)
    duckdb.execute(f"COPY (FROM range(10) AS t(n)) TO '{created.path('a')}' (FORMAT parquet)")
    return created


def _connection(tables: Tables) -> duckdb.DuckDBPyConnection:
    """Open a connection as a `sql` step does."""
    connection: duckdb.DuckDBPyConnection = tables.session()
    connection.execute(view_sql("a", tables.path("a")))
    return connection


HOSTILE = [
    "SELECT * FROM '{secret}.csv'",
    "SELECT * FROM read_csv('{secret}.csv')",
    "SELECT * FROM read_text('{secret}.csv')",
    "SELECT * FROM read_blob('{secret}.csv')",
    "SELECT * FROM read_json('{secret}.csv')",
    "SELECT * FROM read_parquet('{secret}.csv')",
    "SELECT * FROM sniff_csv('{secret}.csv')",
    "SELECT * FROM glob('{secret}*')",
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}.csv'')')",
    "SELECT * FROM query_table('{secret}.csv')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM a UNION ALL SELECT content FROM read_text('{secret}.csv')",
    "SELECT getenv('HOME')",
    "ATTACH '{secret}.db' AS other",
    "COPY (SELECT 1) TO '{secret}.new'",
    "COPY (SELECT 1) TO '{secret}.csv'",
    "EXPORT DATABASE '{secret}.folder'",
    "IMPORT DATABASE '{secret}.folder'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{secret}.db'",
    "SET enable_external_access = true",
    "SET allowed_paths = ['{secret}.csv']",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '/tmp'",
    "SET memory_limit = '100GB'",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "PRAGMA enable_logging",
    "CREATE SECRET s (TYPE s3)",
    "CREATE VIEW v AS SELECT * FROM read_text('{secret}.csv')",
    "CREATE TABLE v AS SELECT * FROM read_text('{secret}.csv')",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_no_file_or_network_outside_is_accessible(
    tables: Tables, tmp_path: Path, statement: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error):
        _connection(tables).execute(statement.format(secret=tmp_path / "secret")).fetchall()
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "secret.csv").read_text() == f"a\n{SECRET}\n"


def test_a_macro_that_would_read_a_file_fails_where_it_is_used(
    tables: Tables, tmp_path: Path
) -> None:
    connection = _connection(tables)
    with pytest.raises(duckdb.Error):
        connection.execute(
            f"CREATE MACRO m() AS TABLE SELECT * FROM read_text('{tmp_path}/secret.csv')"
        ).execute("FROM m()").fetchall()


def test_a_session_does_not_see_what_another_one_made(tables: Tables) -> None:
    first, second = _connection(tables), tables.session()
    first.execute("SELECT setseed(0.25)")
    with pytest.raises(duckdb.CatalogException):
        second.execute("SELECT * FROM a")
    assert (
        first.execute("SELECT random()").fetchone() != second.execute("SELECT random()").fetchone()
    )
    assert second.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_its_own_tables_are_read_and_written(tables: Tables) -> None:
    assert copy_to(_connection(tables), "SELECT sum(n) AS total FROM a", tables.path("out")) == 1
    assert duckdb.execute(
        f"SELECT total, typeof(total) FROM '{tables.path('out')}'"
    ).fetchall() == [(45, "BIGINT")]


def test_what_does_not_fit_into_memory_spills_into_scratch_and_is_removed(
    tables: Tables, tmp_path: Path
) -> None:
    tables.memory_bytes = 60 * MIB
    connection, spill = _connection(tables), tables.folder / "spill"
    sizes: list[int] = []
    connection.execute(
        "CREATE TEMP TABLE big AS SELECT hash(range) AS h, md5(range::VARCHAR) || "
        "md5((-range)::VARCHAR) AS t FROM range(800_000)"
    )
    sizes.append(sum(file.stat().st_size for file in spill.iterdir()))
    assert copy_to(connection, "SELECT * FROM big ORDER BY h", tables.path("out")) == 800_000
    connection.close()
    assert sizes[0] > MIB, "it did not spill where it may"
    assert [file for file in spill.iterdir() if file.stat().st_size] == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "scratch",
        "secret.csv",
        "secret.db",
    ]


def test_what_cannot_spill_runs_out_of_memory_and_says_so(tables: Tables) -> None:
    tables.memory_bytes = 50 * MIB
    with pytest.raises(WorkFailed) as caught:
        copy_to(
            _connection(tables),
            "SELECT list(repeat('x', 100) || range) FROM range(5_000_000)",
            tables.path("out"),
        )
    assert caught.value.reason is FailureReason.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT m FROM a", 'Referenced column "m" not found'),
        ("SELECT CAST('x' AS INTEGER)", "Could not convert string 'x' to INT32"),
        ("SELECT nothing(n) FROM a", "Scalar Function with name nothing does not exist"),
    ],
)
def test_a_query_that_fails_says_how_in_one_line(tables: Tables, query: str, says: str) -> None:
    with pytest.raises(WorkFailed) as caught:
        copy_to(_connection(tables), query, tables.path("out"))
    assert caught.value.reason is FailureReason.WORKLOAD_FAILED
    assert says in caught.value.message
    assert "\n" not in caught.value.message
