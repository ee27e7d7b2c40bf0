"""`write`: a step's table becomes the next version of a dataset, when the whole job succeeds, and not before."""

from typing import TYPE_CHECKING

from jobs.contract import ArtifactRole

if TYPE_CHECKING:
    from jobs.worker.pipelines.run import Run
    from mimir.lib.schemas.pipeline import Step

PARQUET = "application/vnd.apache.parquet"


def artifact_name(step: str) -> str:
    """What the data of a step is called on its way."""
    return f"dataset-{step}.parquet"


def run_write(run: "Run", step: "Step") -> int:
    """Deliver the table; its number of rows. The orchestrator makes the version in the transaction that ends the job."""
    source = step.tables[0]
    rows = run.tables.rows(source)
    name = artifact_name(step.id)
    run.orders.deliver(
        run.tables.made[source].path, name=name, role=ArtifactRole.DATASET, media_type=PARQUET
    )
    run.outputs.append(
        {
            "dataset": step.options["dataset"],
            "artifact": name,
            "format": "parquet",
            "row_count": rows,
            "schema": run.tables.schema(source),
        }
    )
    return rows
