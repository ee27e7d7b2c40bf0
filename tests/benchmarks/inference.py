"""Inference on two million generated rows: memory above that of the interpreter with its imports,
and rows per second compared with a plain loop.

Both sides predict with the same model, read the same Parquet file in batches and write the id and
the prediction of each row as Parquet. Each run is a separate process with the job's number of
threads, and is measured from the first row read to the last row written.
"""

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mimir.dev.paths import ROOT
from tests.support.stack import Stack

ROWS, TRAINING_ROWS, PAIRS = 2_000_000, 20_000, 7
MEMORY_MAX_BYTES, RATIO_MIN = 10**9, 0.8
GIB = 2**30
BATCH_ROWS = 65_536
THREADS = 2


def measure(_: Stack | None = None) -> None:
    """Print the peak memory, both rates of each pair, and the median ratio."""
    with tempfile.TemporaryDirectory(prefix="mimir-inference-") as name:
        folder = Path(name)
        prepared = _child("prepare", folder)
        print(
            f"\nInference of {ROWS:,} rows ({prepared['columns']} columns), "
            f"{prepared['algorithm']}, {THREADS} threads",
            flush=True,
        )
        ratios, by_cpu, over = [], [], []
        for number in range(PAIRS):
            first, second = ("workload", "bare") if number % 2 else ("bare", "workload")
            runs = {first: _child(first, folder), second: _child(second, folder)}
            ours, bare = runs["workload"], runs["bare"]
            ratios.append(ours["rows_per_second"] / bare["rows_per_second"])
            by_cpu.append(bare["cpu_seconds"] / ours["cpu_seconds"])
            over.append(ours["peak_bytes"] - ours["imports_bytes"])
            rates = (
                f"workload {ours['rows_per_second']:>10,.0f} rows/s, bare "
                f"{bare['rows_per_second']:>10,.0f} rows/s, ratio {ratios[-1]:.2f}"
            )
            print(
                f"  {rates}; {over[-1] / 1e6:,.0f} MB over {ours['imports_bytes'] / 1e6:,.0f} MB "
                "of interpreter and imports",
                flush=True,
            )
        ratio = statistics.median(ratios)
        print(
            f"  median ratio {ratio:.2f}  {'ok' if ratio >= RATIO_MIN else 'UNDER'}: at least "
            f"{RATIO_MIN}"
        )
        print(
            f"  peak memory {max(over) / 1e6:,.0f} MB  "
            f"{'ok' if max(over) <= MEMORY_MAX_BYTES else 'OVER'}: at most "
            f"{MEMORY_MAX_BYTES / 1e6:,.0f} MB",
            flush=True,
        )


def _child(what: str, folder: Path) -> dict[str, Any]:
    """Run one side in a separate process, to measure its memory separately."""
    argv = [sys.executable, "-m", "tests.benchmarks.inference", what, str(folder)]
    done = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# In the child


def _table(rows: int, seed: int) -> Any:
    """Return rows with numbers, a category and a boolean, with missing values."""
    import numpy
    import pyarrow

    random = numpy.random.default_rng(seed)
    columns: dict[str, Any] = {"id": numpy.arange(rows)}
    for index in range(8):
        columns[f"n{index}"] = pyarrow.array(
            random.normal(size=rows), mask=random.random(rows) < 0.05
        )
    columns["town"] = pyarrow.array(
        numpy.array(["Oslo", "Bergen", "Voss", "Narvik"], dtype=object)[random.integers(0, 4, rows)]
    )
    columns["open"] = random.random(rows) < 0.5
    columns["price"] = (
        random.normal(size=rows) + columns["n0"].to_numpy(zero_copy_only=False).clip(-1, 1) * 3
    )
    return pyarrow.table(columns)


def _prepare(folder: Path) -> dict[str, Any]:
    """Create the rows, and a model trained by the workload."""
    import pyarrow.parquet

    from tests.worker.learning import train, write_table

    context, report = train(
        folder / "train", _table(TRAINING_ROWS, 1), target="price", features=_features()
    )
    rows = folder / "rows.parquet"
    with pyarrow.parquet.ParquetWriter(rows, _table(1, 1).schema) as writer:
        for part in range(10):
            writer.write_table(_table(ROWS // 10, 2 + part), row_group_size=100_000)
    facts = {
        "signature": report["signature"],
        "model": str(context.delivered["model.skops"]),
        "algorithm": report["algorithm"],
    }
    facts["schema"] = write_table(folder / "one.parquet", _table(1, 1))
    (folder / "facts.json").write_text(json.dumps(facts))
    return {"algorithm": report["algorithm"], "columns": len(facts["schema"])}


def _features() -> list[str]:
    return [f"n{index}" for index in range(8)] + ["town", "open"]


def _workload(folder: Path) -> dict[str, Any]:
    import time

    from jobs.contract import EventKind
    from jobs.worker.ml_inference import run as inference
    from tests.support.recorded_context import RecordedContext

    facts = json.loads((folder / "facts.json").read_text())
    with tempfile.TemporaryDirectory(dir=folder) as name:
        parameters = {"model": "m", "dataset": "d", "output": "p", "keys": ["id"]}
        context = RecordedContext(
            Path(name), type="ml_inference", parameters=parameters, memory_bytes=4 * GIB
        )
        context.limits["cpu_millicores"] = THREADS * 1000
        about = {
            "kind": "dataset",
            "dataset": "d",
            "version": 1,
            "format": "parquet",
            "schema": facts["schema"],
            "row_count": ROWS,
        }
        context.give(folder / "rows.parquet", name="dataset", **about)
        context.give(
            Path(facts["model"]),
            name="model",
            kind="model",
            model="m",
            version=1,
            signature=facts["signature"],
        )
        imports = _imports()
        began, cpu = time.monotonic(), time.process_time()
        output = inference.run(context)["output"]  # type: ignore[arg-type]
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        assert output["row_count"] == ROWS
        last = [data["value"] for kind, data in context.events if kind is EventKind.METRIC][-1]
    return {
        "rows_per_second": last,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "imports_bytes": imports,
        "peak_bytes": _peak_bytes(),
    }


def _bare(folder: Path) -> dict[str, Any]:
    """Straightforward baseline: read a batch, predict, write."""
    import os
    import time

    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    imports = _imports()
    import numpy
    import pyarrow
    import pyarrow.parquet
    import skops.io

    from jobs.worker.modelfile import TRUSTED_TYPES

    facts = json.loads((folder / "facts.json").read_text())
    model = skops.io.load(facts["model"], trusted=list(TRUSTED_TYPES))
    schema = pyarrow.schema([("id", pyarrow.int64()), ("prediction", pyarrow.float64())])
    began, cpu = time.monotonic(), time.process_time()
    features = _features()
    with (
        pyarrow.parquet.ParquetFile(folder / "rows.parquet") as file,
        pyarrow.parquet.ParquetWriter(folder / "bare.parquet", schema, compression="zstd") as out,
    ):
        for batch in file.iter_batches(BATCH_ROWS, columns=["id", *features]):
            frame = batch.select(features).to_pandas()
            frame["town"] = frame["town"].astype(object)
            frame["open"] = frame["open"].astype(numpy.float64)
            predicted = pyarrow.array(model.predict(frame))
            out.write_batch(pyarrow.record_batch([batch.column("id"), predicted], schema=schema))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    return {
        "rows_per_second": ROWS / seconds,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "imports_bytes": imports,
        "peak_bytes": _peak_bytes(),
    }


def _imports() -> int:
    """Import all modules of an inference and return the resident bytes."""
    import psutil

    for name in (
        "duckdb",
        "pandas",
        "pyarrow.parquet",
        "skops.io",
        "sklearn.ensemble",
        "sklearn.pipeline",
    ):
        importlib.import_module(name)
    return int(psutil.Process().memory_info().rss)


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if sys.argv[1:]:
        print(
            json.dumps(
                {"prepare": _prepare, "workload": _workload, "bare": _bare}[sys.argv[1]](
                    Path(sys.argv[2])
                )
            )
        )
    else:
        measure()
