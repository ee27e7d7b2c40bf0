"""`digital_twin_update`: a dataset version becomes the changes of a twin."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from jobs.contract import ArtifactRole, EventKind
from jobs.worker.orders import Orders
from jobs.worker.pipelines.read import read_dataset
from jobs.worker.pipelines.tables import Tables
from jobs.worker.twins.compare import Base, compare
from jobs.worker.twins.rows import Source, open_source

ARTIFACT = "changes.jsonl"
PROGRESS_SECONDS = 0.5


def run_update(orders: Orders) -> dict[str, Any]:
    """The result for `finish`: {"base_revision", "artifact"}. Raises: WorkFailed."""
    parameters = orders.job["parameters"]
    orders.event(EventKind.PROGRESS, message=f"Reads the state of {parameters['twin']}")
    base = _base(orders.fetch("twin"))
    tables = Tables(orders.data_dir / "tables", memory_bytes=orders.limits["memory_bytes"], cpu_millicores=orders.limits["cpu_millicores"])
    read_dataset(orders, tables, "dataset")
    source = open_source(tables, "dataset", parameters, base.fields)
    seen = _Progress(orders, source)
    changes = compare(base, seen, missing=parameters.get("missing", "keep"))
    path = orders.data_dir / ARTIFACT
    with path.open("w") as file:
        file.writelines(json.dumps(change, separators=(",", ":")) + "\n" for change in changes)
    entities = "entity differs" if len(changes) == 1 else "entities differ"
    print(f"mimir: {len(changes)} {entities} from revision {base.revision}", file=sys.stderr, flush=True)
    orders.event(EventKind.PROGRESS, fraction=1.0, message=f"{len(changes):,} {entities} from revision {base.revision}")
    orders.deliver(path, name=ARTIFACT, role=ArtifactRole.TWIN, media_type="application/x-ndjson")
    return {"base_revision": base.revision, "artifact": ARTIFACT}


def _base(path: Path) -> Base:
    """The document of docs/worker-protocol.md."""
    with path.open("rb") as file:
        head = json.loads(file.readline())
        entities = {}
        for line in file:
            entity = json.loads(line)
            entities[entity["key"]] = (entity["status"], entity["reported"])
    return Base(head["revision"], head["definition"], head["type"], entities)


class _Progress:
    """The rows of a source, telling how far they are."""

    def __init__(self, orders: Orders, source: Source) -> None:
        self._orders, self._source = orders, source

    def __iter__(self) -> Any:
        began = last = time.monotonic()
        for index, row in enumerate(self._source, start=1):
            yield row
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS:
                last = now
                rate = index / (now - began)
                message = f"{index:,} of {self._source.count:,} rows, {rate:,.0f} a second"
                self._orders.event(EventKind.PROGRESS, fraction=min(index / max(self._source.count, 1), 0.99), message=message)
