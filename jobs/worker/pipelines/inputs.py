"""Tables from the inputs of a job and from files: one function for each."""

import shutil
import sys
from pathlib import Path
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.pipelines.tables import Table, Tables, copy_to
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.inspection import DiskFull, read_head
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.read import read_table
from mimir.lib.tables import Column, NoMemory, NotATable, scan_sql

WARNINGS_SHOWN = 20  # in the log, for one file


def read_dataset(context: WorkloadContext, tables: Tables, name: str) -> int:
    """Create the table `name` from the dataset input `name`; return its number of rows.

    Raises: WorkFailed.
    """
    dataset = next(
        item for item in context.inputs if item["kind"] == "dataset" and item["name"] == name
    )
    print(
        f"mimir: reading dataset {dataset['dataset']} version {dataset['version']}",
        file=sys.stderr,
        flush=True,
    )
    path = context.fetch(name)
    schema = [Column(column["name"], column["type"]) for column in dataset["schema"]]
    return _table(tables, name, path, str(dataset["format"]), schema, dataset.get("row_count"))


def read_file(
    tables: Tables, name: str, path: Path, source: str, expected: str | None = None
) -> int:
    """Create the table `name` from a file in any supported format; return its number of rows.

    The file is moved or removed. `source`: the name of the file in messages. `expected`: the
    format that the file must have; None: any. Raises: WorkFailed.
    """
    work = path.with_suffix(".work")
    work.mkdir(exist_ok=True)

    def connect(files: list[str], folder: str) -> Any:
        connection = tables.connect(readable=[Path(file) for file in files], folder=Path(folder))
        # This optimizer takes quadratic time for wide files.
        connection.execute("SET disabled_optimizers = 'common_subexpressions'")
        return connection

    try:
        found = read_table(connect, path, work, ReadOptions(format=expected or ""))
        found.connection.close()
    except NoMemory as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except DiskFull as error:
        raise WorkFailed(
            FailureReason.DISK_FULL, f"{source} could not be read: the disk is full"
        ) from error
    except NotATable as error:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"{source} cannot be read as a table. {error.message}"
        ) from error
    for warning in found.warnings[:WARNINGS_SHOWN]:
        print(f"mimir: {source}: {warning['message']}", file=sys.stderr, flush=True)
    assert found.table is not None
    target = found.table.rename(tables.path(name)) if found.table != path else path
    shutil.rmtree(work)
    if target != path:
        path.unlink()
    tables.by_name[name] = Table(target, found.row_count)
    return found.row_count


def _table(
    tables: Tables, step: str, path: Path, format_name: str, schema: list[Column], rows: Any
) -> int:
    """Use a Parquet file as it is; convert another format.

    Only dataset versions that were stored before all uploads became Parquet have another format.
    """
    target = tables.path(step)
    if format_name == "parquet":
        path.rename(target)
        tables.by_name[step] = Table(target, int(rows) if isinstance(rows, int) else None)
        return tables.rows(step)
    connection = tables.connect(readable=[path], writable=target)
    head = read_head(str(path)) if format_name == "csv" else b""
    count = copy_to(connection, scan_sql(str(path), format_name, schema, head), target)
    connection.close()
    path.unlink()
    tables.by_name[step] = Table(target, count)
    return count
