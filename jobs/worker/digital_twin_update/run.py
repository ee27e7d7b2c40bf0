"""`digital_twin_update`: compute the changes of a twin from a dataset version."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from jobs.contract import ArtifactRole, EventKind, WorkStage
from jobs.contract.job_parameters import TwinUpdateParameters
from jobs.contract.protocol import TwinUpdateResult
from jobs.worker.digital_twin_update.compare import Base, Row, compare
from jobs.worker.digital_twin_update.rows import Source, open_source
from jobs.worker.joblog import log
from jobs.worker.pipelines.inputs import read_dataset
from jobs.worker.pipelines.tables import Tables
from jobs.worker.workload_context import WorkloadContext

ARTIFACT = "changes.jsonl"
PROGRESS_SECONDS = 0.5


def run(context: WorkloadContext) -> TwinUpdateResult:
    """Return the result for `finish`: {"base_revision", "artifact"}. Raises: WorkFailed."""
    parameters = cast("TwinUpdateParameters", context.job["parameters"])
    message = f"Reading the state of {parameters['twin']}"
    log(message)
    context.event(EventKind.PROGRESS, message=message, stage=WorkStage.READING)
    base = _base(context.fetch("twin"))
    log(
        f"base: revision {base.revision}, {len(base.entities):,} entities "
        f"of type {parameters['type']}"
    )
    tables = Tables(
        context.data_dir / "tables",
        memory_bytes=context.limits["memory_bytes"],
        cpu_millicores=context.limits["cpu_millicores"],
    )
    read_dataset(context, tables, "dataset")
    source = open_source(tables, "dataset", parameters, base.fields)
    origins = [f"{name} from {column}" for name, column in list(source.columns.items())[:50]]
    log(f"{source.count:,} rows; properties from columns: {', '.join(origins)}")
    if source.latest_by:
        _report_latest(context, source)
    message = f"Comparing {source.count:,} rows with revision {base.revision}"
    context.event(EventKind.PROGRESS, message=message, stage=WorkStage.COMPARING)
    rows = _Progress(context, source)
    changes = compare(base, rows, missing=parameters.get("missing", "keep"))
    path = context.data_dir / ARTIFACT
    with path.open("w") as file:
        file.writelines(json.dumps(change, separators=(",", ":")) + "\n" for change in changes)
    entities = "entity differs" if len(changes) == 1 else "entities differ"
    log(f"{len(changes)} {entities} from revision {base.revision}")
    context.event(
        EventKind.PROGRESS,
        fraction=1.0,
        message=f"{len(changes):,} {entities} from revision {base.revision}",
        stage=WorkStage.SAVING,
    )
    context.deliver(path, name=ARTIFACT, role=ArtifactRole.TWIN, media_type="application/x-ndjson")
    return {"base_revision": base.revision, "artifact": ARTIFACT}


def _report_latest(context: WorkloadContext, source: Source) -> None:
    """Report how many rows are not used. Raises: WorkFailed if the column has no order."""
    older, ties = source.check_latest()
    message = (
        f"{older:,} of {source.count:,} rows are not the latest of their entity "
        f"by {source.latest_by}: they are not used."
    )
    log(message)
    if ties:
        message = (
            f"{ties:,} rows have the same {source.latest_by} as another row of their entity: "
            "the last of them in the dataset is used."
        )
        log(message)
        context.event(EventKind.NOTICE, message=message)


def _base(path: Path) -> Base:
    """Read the base document described in docs/reference/worker-protocol.md."""
    with path.open("rb") as file:
        head = json.loads(file.readline())
        entities = {}
        for line in file:
            entity = json.loads(line)
            entities[entity["key"]] = (entity["status"], entity["reported"])
    return Base(head["revision"], head["definition"], head["type"], entities)


class _Progress:
    """Iterates over the rows of a source and reports progress."""

    def __init__(self, context: WorkloadContext, source: Source) -> None:
        self._context, self._source = context, source

    def __iter__(self) -> Iterator[Row]:
        began = last = time.monotonic()
        for index, row in enumerate(self._source, start=1):
            yield row
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS:
                last = now
                rate = index / (now - began)
                message = f"{index:,} of {self._source.count:,} rows, {rate:,.0f} a second"
                self._context.event(
                    EventKind.PROGRESS,
                    fraction=min(index / max(self._source.count, 1), 0.99),
                    message=message,
                )
