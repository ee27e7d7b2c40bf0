"""`sql`: one SELECT over the tables of earlier steps, in a DuckDB that can open these and nothing else."""

from typing import TYPE_CHECKING

from jobs.worker.pipelines.tables import Table, copy_to, view_sql
from mimir.lib.schemas.sql import without_end

if TYPE_CHECKING:
    from jobs.worker.pipelines.run import Run
    from mimir.lib.schemas.pipeline import Step


def run_sql_step(run: "Run", step: "Step") -> int:
    """Make the step's table; its number of rows. Raises: WorkFailed."""
    target = run.tables.path(step.id)
    sources = {name: run.tables.made[name].path for name in step.tables}
    connection = run.tables.connect(readable=sources.values(), writable=target)
    for name, path in sources.items():
        connection.execute(view_sql(name, path))
    connection.execute("SET lock_configuration = true")
    rows = copy_to(connection, without_end(str(step.options["query"])), target)
    connection.close()
    run.tables.made[step.id] = Table(target, rows)
    return rows
