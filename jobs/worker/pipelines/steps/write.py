"""`write`: delivers a table, which becomes a dataset version when the whole job succeeds."""

from jobs.contract import ArtifactRole
from jobs.worker.pipelines.run import PARQUET_MEDIA_TYPE, Run, dataset_artifact_name
from mimir.lib.schemas.pipeline import Step


def execute(run: Run, step: Step) -> int:
    """Deliver the table and return its number of rows. Raises: WorkFailed.

    The orchestrator creates the version in the transaction that ends the job.
    """
    source = step.tables[0]
    rows = run.tables.rows(source)
    name = dataset_artifact_name(step.id)
    run.context.deliver(
        run.tables.by_name[source].path,
        name=name,
        role=ArtifactRole.DATASET,
        media_type=PARQUET_MEDIA_TYPE,
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
