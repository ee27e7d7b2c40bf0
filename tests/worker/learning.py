"""Training and inference in this process, with the code of the worker.

The input is a table; the output is the delivered files and events.
"""

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.contract.protocol import DatasetResult
from jobs.worker.ml_inference import run as inference
from jobs.worker.ml_training import run as training
from mimir.lib.tables import quoted
from tests.support.recorded_context import RecordedContext


def write_table(path: Path, table: pa.Table) -> list[dict[str, str]]:
    """Write a table as Parquet; return its schema as the parser of uploads reports it."""
    pq.write_table(table, path)
    rows = duckdb.execute(f"DESCRIBE SELECT * FROM read_parquet({quoted(str(path))})").fetchall()
    return [{"name": row[0], "type": row[1]} for row in rows]


def _context(
    folder: Path, kind: str, table: pa.Table, parameters: dict[str, Any], **limits: Any
) -> RecordedContext:
    folder.mkdir(parents=True, exist_ok=True)
    context = RecordedContext(folder, type=kind, parameters=parameters, **limits)
    schema = write_table(folder / "table.parquet", table)
    facts = {
        "kind": "dataset",
        "dataset": "table",
        "version": 1,
        "format": "parquet",
        "schema": schema,
        "row_count": table.num_rows,
    }
    context.give(folder / "table.parquet", name="dataset", **facts)
    return context


def train(
    folder: Path, table: pa.Table, **parameters: Any
) -> tuple[RecordedContext, dict[str, Any]]:
    """Train a model; return the context and the delivered report."""
    context = _context(
        folder, "ml_training", table, {"dataset": "table", "model": "m", **parameters}
    )
    result = training.run(context)  # type: ignore[arg-type]
    assert result == {"artifact": "model.skops", "report": "model.json"}
    assert context.roles == {"model.skops": "model", "model.json": "model"}
    return context, json.loads(context.delivered["model.json"].read_text())


def infer(
    folder: Path, table: pa.Table, model: Path, signature: dict[str, Any], **parameters: Any
) -> tuple[RecordedContext, DatasetResult, pa.Table]:
    """Run an inference; return the context, the output of its result, and the predictions."""
    context = _context(
        folder,
        "ml_inference",
        table,
        {"dataset": "table", "model": "m", "output": "p", **parameters},
    )
    context.give(model, name="model", kind="model", model="m", version=1, signature=signature)
    output = inference.run(context)["output"]  # type: ignore[arg-type]
    return context, output, pq.read_table(context.delivered[output["artifact"]])
