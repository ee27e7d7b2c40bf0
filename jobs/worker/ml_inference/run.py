"""`ml_inference`: predict for a dataset version in batches, with bounded memory."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.contract import ArtifactRole, EventKind, FailureReason, WorkStage
from jobs.contract.protocol import DatasetInput, DatasetResult, InferenceResult, ModelInput
from jobs.worker.joblog import log
from jobs.worker.libraries import import_libraries, limit_threads, report_warnings
from jobs.worker.ml_inference.columns import (
    as_known,
    category_names,
    inference_parameters,
    read_features,
)
from jobs.worker.modelfile import load_model
from jobs.worker.pipelines.inputs import read_dataset
from jobs.worker.pipelines.run import PARQUET_MEDIA_TYPE
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.tabular import Feature, batches, frame_of, stored_sql
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.metrics import CLASSIFICATION
from mimir.lib.schemas.signature import ModelSignature, prediction_columns

INPUT, MODEL, OUTPUT = "dataset", "model", "predictions.parquet"
LOADED, PREDICTED = 0.1, 0.95  # shares of the job's progress
REPORT_SECONDS = 1.0


def run(context: WorkloadContext) -> InferenceResult:
    """Return the result for `finish`: {"output"}. Raises: WorkFailed."""
    threads = limit_threads(context)
    facts = next(item for item in context.inputs if item["kind"] == "model")
    dataset = next(item for item in context.inputs if item["kind"] == "dataset")
    import_libraries(context)
    with report_warnings(context):
        message = f"Loading {facts['model']} version {facts['version']}"
        log(message)
        _begin(context, WorkStage.READING, 0.02, message)
        model = _loaded(context, facts, threads)
        tables = _tables(context)
        rows = read_dataset(context, tables, INPUT)
        log(f"{rows:,} rows to predict for, {len(facts['signature']['features']):,} features")
        readings = _readings(context, tables, model, facts, dataset)
        path = tables.path("predictions")
        _begin(context, WorkStage.PREDICTING, LOADED, f"Predicting for {rows:,} rows")
        done = _Predicting(context, model, facts["signature"], tables, rows, readings).write(path)
    tables.by_name["predictions"] = Table(path, done)
    _begin(context, WorkStage.SAVING, PREDICTED, f"Saving {done:,} predictions")
    context.deliver(path, name=OUTPUT, role=ArtifactRole.DATASET, media_type=PARQUET_MEDIA_TYPE)
    name = inference_parameters(context)["output"]
    log(f"{done:,} predictions; they become the next version of dataset {name} if the job succeeds")
    output: DatasetResult = {
        "dataset": name,
        "artifact": OUTPUT,
        "format": "parquet",
        "row_count": done,
        "schema": tables.schema("predictions"),
    }
    return {"output": output}


def _begin(context: WorkloadContext, stage: WorkStage, fraction: float, message: str) -> None:
    context.event(EventKind.PROGRESS, fraction=fraction, message=message, stage=stage)


def _tables(context: WorkloadContext) -> Tables:
    return Tables(
        context.data_dir / "tables",
        memory_bytes=context.limits["memory_bytes"],
        cpu_millicores=context.limits["cpu_millicores"],
    )


def _readings(
    context: WorkloadContext,
    tables: Tables,
    model: Any,
    facts: ModelInput,
    dataset: DatasetInput,
) -> list[str]:
    """Return the SQL expression of each feature. Raises: WorkFailed.

    The checks at submit time do not read the values of the dataset.
    """
    try:
        return read_features(
            context,
            tables,
            tables.by_name[INPUT],
            model,
            facts["signature"],
            dataset.get("source_format", dataset["format"]),
        )
    except WorkFailed as failure:
        if failure.reason is not FailureReason.SIGNATURE_MISMATCH:
            raise
        which = (
            f"{dataset['dataset']} version {dataset['version']} does not fit "
            f"{facts['model']} version {facts['version']}"
        )
        raise WorkFailed(
            failure.reason, f"{which}: {failure.message}.", **failure.detail
        ) from failure


def _loaded(context: WorkloadContext, facts: ModelInput, threads: int) -> Any:
    """Load the model and compare it with its signature. Raises: WorkFailed `model_corrupt`."""
    from sklearn.pipeline import Pipeline

    signature = facts["signature"]
    model = load_model(context.fetch(MODEL), memory_bytes=context.limits["memory_bytes"])
    names = [feature["name"] for feature in signature["features"]]
    classes = len(getattr(model, "classes_", ()))
    fits = isinstance(model, Pipeline) and list(getattr(model, "feature_names_in_", ())) == names
    if not fits or classes != len(signature.get("classes", ())):
        which = f"{facts['model']} version {facts['version']}"
        raise WorkFailed(
            FailureReason.MODEL_CORRUPT,
            f"The file of {which} does not match its signature: its features or classes differ. "
            "Train it again, or use another version.",
        )
    if hasattr(model[-1], "n_jobs"):
        model[-1].set_params(n_jobs=threads)
    return model


class _Predicting:
    """Reads, predicts and writes one batch at a time."""

    def __init__(
        self,
        context: WorkloadContext,
        model: Any,
        signature: ModelSignature,
        tables: Tables,
        rows: int,
        readings: Sequence[str],
    ) -> None:
        self._context, self._model, self._signature, self._tables, self._rows = (
            context,
            model,
            signature,
            tables,
            rows,
        )
        self._features = [Feature(**feature) for feature in signature["features"]]
        self._readings = readings
        schema = tables.schema(INPUT)
        types = {column["name"]: column["type"] for column in schema}
        known = category_names(model)
        written = {
            name: known[name] for name in known if name in types and types[name] != "VARCHAR"
        }
        self._known = written  # categories of features read from other types
        keys = inference_parameters(context).get("keys")
        self._keys = [column for column in schema if keys is None or column["name"] in keys]
        self._began = self._reported_at = time.monotonic()

    def write(self, path: Path) -> int:
        """Write the predictions as Parquet and return their number. Raises: WorkFailed."""
        import pyarrow
        import pyarrow.parquet

        columns = [*self._readings, *(stored_sql(key["name"], key["type"]) for key in self._keys)]
        writer, done = None, 0
        try:
            for batch in batches(self._tables, self._tables.by_name[INPUT], columns, or_empty=True):
                predictions = self._predicted(batch, done)
                writer = writer or pyarrow.parquet.ParquetWriter(
                    path, predictions.schema, compression="zstd"
                )
                writer.write_batch(predictions)
                done += batch.num_rows
                self._report_progress(done)
        finally:
            if writer is not None:
                writer.close()
        return done

    def _predicted(self, batch: Any, done: int) -> Any:
        """Return the keys of a batch and the predictions for its rows."""
        import pyarrow

        count = len(self._features)
        frame = frame_of(self._features, batch.columns[:count], first_row=done + 1)
        for name, known in self._known.items():
            frame[name] = as_known(frame[name].to_numpy(), known)
        values = (
            self._classified(frame)
            if self._signature["task"] == CLASSIFICATION
            else self._estimated(frame)
        )
        names = [key["name"] for key in self._keys] + prediction_columns(self._signature)
        return pyarrow.record_batch([*batch.columns[count:], *values], names=names)

    def _estimated(self, frame: Any) -> Sequence[Any]:
        import pyarrow

        return [
            pyarrow.array(self._model.predict(frame) if len(frame) else [], type=pyarrow.float64())
        ]

    def _classified(self, frame: Any) -> Sequence[Any]:
        """Return the most probable class, in the target's type, and each class's probability."""
        import numpy
        import pyarrow

        classes = pyarrow.array(self._model.classes_)
        chances = self._model.predict_proba(frame) if len(frame) else numpy.empty((0, len(classes)))
        likeliest = classes.take(pyarrow.array(chances.argmax(axis=1)))
        return [
            likeliest,
            *(
                pyarrow.array(numpy.ascontiguousarray(chances[:, index]))
                for index in range(len(classes))
            ),
        ]

    def _report_progress(self, done: int) -> None:
        now = time.monotonic()
        if now - self._reported_at < REPORT_SECONDS and done < self._rows:
            return
        self._reported_at = now
        rate = done / max(now - self._began, 1e-6)
        fraction = LOADED + (PREDICTED - LOADED) * min(1.0, done / max(1, self._rows))
        message = f"{done:,} of {self._rows:,} rows, {rate:,.0f} a second"
        log(message)
        self._context.event(EventKind.PROGRESS, fraction=round(fraction, 3), message=message)
        self._context.event(
            EventKind.METRIC, name="rows_per_second", value=round(rate, 1), step=done
        )
