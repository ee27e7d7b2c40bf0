"""`read`: a dataset version, fixed at submit, or a URL, becomes a table."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.contract import FailureReason
from jobs.worker.pipelines.tables import Table, Tables, copy_to
from jobs.worker.workload_context import Orders, WorkFailed
from mimir.lib.inspection import NoRoom, read_head
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.read import read_table
from mimir.lib.tables import Column, NoMemory, NotATable, scan_sql

if TYPE_CHECKING:
    from jobs.worker.pipelines.run import Run
    from mimir.lib.schemas.pipeline import Step

WARNINGS_SHOWN = 20  # of a file, in the log


def run_read(run: "Run", step: "Step") -> int | None:
    """Make the step's table; its number of rows. Raises: WorkFailed."""
    if "dataset" in step.options:
        return read_dataset(run.orders, run.tables, step.id)
    return _from_url(run, step)


def read_dataset(orders: Orders, tables: Tables, name: str) -> int:
    """Make the table `name` of the dataset version that is the job's input `name`; its number of rows. Raises: WorkFailed."""
    facts = next(
        item for item in orders.inputs if item["kind"] == "dataset" and item["name"] == name
    )
    print(
        f"mimir: reading dataset {facts['dataset']} version {facts['version']}",
        file=sys.stderr,
        flush=True,
    )
    path = orders.fetch(name)
    schema = [Column(column["name"], column["type"]) for column in facts["schema"]]
    return _table(tables, name, path, str(facts["format"]), schema, facts.get("row_count"))


def _from_url(run: "Run", step: "Step") -> int | None:
    from jobs.worker.pipelines.fetch import fetch_url

    url, path = str(step.options["url"]), run.tables.path(step.id).with_suffix(".download")
    print(f"mimir: reading {url}", file=sys.stderr, flush=True)
    fetch_url(url, path, allow=run.orders.read_url_allow)
    return read_file(run.tables, step.id, path, url, step.options.get("format"))


def read_file(
    tables: Tables, name: str, path: Path, source: str, expected: str | None = None
) -> int:
    """Make the table `name` of a file in any format Mimir reads; its number of rows. The file is moved or removed.

    `source`: what people know the file as; `expected`: the format it must have. Raises: WorkFailed.
    """
    work = path.with_suffix(".work")
    work.mkdir(exist_ok=True)

    def connect(files: list[str], folder: str) -> Any:
        return tables.connect(readable=[Path(file) for file in files], folder=Path(folder))

    try:
        found = read_table(connect, path, work, ReadOptions(format=expected or ""))
        found.connection.close()
    except NoMemory as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except NoRoom as error:
        raise WorkFailed(
            FailureReason.DISK_FULL, f"{source} could not be read: no space is left"
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
    tables.made[name] = Table(target, found.row_count)
    return found.row_count


def _table(
    tables: Tables, step: str, path: Path, format_name: str, schema: list[Column], rows: Any
) -> int:
    """Parquet stays the file it is. CSV and JSON lines are versions from before tables were stored beside the file as sent."""
    if format_name == "parquet":
        tables.made[step] = Table(path, int(rows) if isinstance(rows, int) else None)
        return tables.rows(step)
    target = tables.path(step)
    connection = tables.connect(readable=[path], writable=target)
    head = read_head(str(path)) if format_name == "csv" else b""
    count = copy_to(connection, scan_sql(str(path), format_name, schema, head), target)
    connection.close()
    path.unlink()
    tables.made[step] = Table(target, count)
    return count
