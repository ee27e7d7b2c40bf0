"""`sql`: runs one SELECT in a DuckDB that can open the tables of the run and nothing else."""

from jobs.worker.pipelines.run import Run
from jobs.worker.pipelines.tables import Table, copy_to, view_sql
from mimir.lib.schemas.pipeline import Step
from mimir.lib.schemas.sqlparser import without_end


def execute(run: Run, step: Step) -> int:
    """Create the step's table and return its number of rows. Raises: WorkFailed."""
    target = run.tables.path(step.id)
    sources = {name: run.tables.by_name[name].path for name in step.tables}
    connection = run.tables.session()
    for name, path in sources.items():
        connection.execute(view_sql(name, path))
    rows = copy_to(connection, without_end(str(step.options["query"])), target)
    connection.close()
    run.tables.by_name[step.id] = Table(target, rows)
    return rows
