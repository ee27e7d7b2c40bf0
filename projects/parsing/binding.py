"""Bind the SQL of a checked definition to the present columns of its tables. Runs in the child.

Each known table becomes an empty DuckDB table. Each SQL step is described over them in the order of
the run, and its columns become the next table. Nothing is executed and no data is read. Columns
that are unknown before a run (of a URL, or of a command's tables) are reported as not checked, with
the steps that depend on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.pipeline import Step, steps_in_order
from mimir.lib.schemas.pipeline_types import PipelineDefinition
from mimir.lib.schemas.sqlparser import without_end
from mimir.lib.schemas.steptype import Columns
from mimir.lib.tables import identifier
from projects.parsing.bind_errors import bind_message
from projects.parsing.messages import ReadReference, StepCheck

CHECKED, FAILED, NOT_CHECKED = "checked", "failed", "not_checked"
COLUMNS_MAX = 20_000  # in all tables of a definition
# The type of a column after a step's table was written as Parquet and read again.
_STORED = {
    "HUGEINT": "BIGINT",
    "UHUGEINT": "BIGINT",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "BIT": "VARCHAR",
    "BIGNUM": "VARCHAR",
}

Schema = list[tuple[str, str]]


@dataclass(slots=True)
class Bound:
    """Result of binding. `steps` has one entry for each step, in the order of the run."""

    faults: list[FieldError] = field(default_factory=list)
    steps: list[StepCheck] = field(default_factory=list)


@dataclass(slots=True)
class _Tables:
    """Columns by table name, and the tables in `unknown`, each with the reason."""

    connection: Any
    columns: dict[str, Schema] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, schema: Schema) -> str:
        """Create an empty table. Return an error message, or an empty text."""
        import duckdb

        if sum(map(len, self.columns.values())) + len(schema) > COLUMNS_MAX:
            return f"the tables of this definition have more than {COLUMNS_MAX:,} columns"
        cells = ", ".join(f"{identifier(column)} {_stored(kind)}" for column, kind in schema)
        try:
            self.connection.execute(f"CREATE TABLE {identifier(name)} ({cells})")
        except duckdb.Error:
            return f"a column of {name} has a type that is known only when it is read"
        self.columns[name] = schema
        return ""


def bind(
    definition: PipelineDefinition,
    reads: Mapping[str, ReadReference],
    writes: Mapping[str, int],
    note_place: Callable[[str], None],
) -> Bound:
    """Bind all SQL steps; `note_place` is called with the path of each step before its work.

    `reads` describes the dataset version of each read step; `writes` maps a dataset that is written
    to its newest version number, 0 for a new dataset.
    """
    import duckdb

    config: Any = {
        "enable_external_access": "false",
        "memory_limit": "128MB",
        "threads": "1",
        "autoload_known_extensions": "false",
    }
    tables = _Tables(duckdb.connect(":memory:", config=config))
    tables.connection.execute("SET TimeZone = 'UTC'")
    indexes = {step["id"]: index for index, step in enumerate(definition["steps"])}
    bound = Bound()
    for step in steps_in_order(definition):
        path = f"steps[{indexes[step.id]}].with"
        note_place(path)
        status, message = _bind_step(step, path, tables, bound.faults, reads, writes)
        bound.steps.append({"id": step.id, "uses": step.uses, "status": status, "message": message})
    return bound


def _bind_step(
    step: Step,
    path: str,
    tables: _Tables,
    faults: list[FieldError],
    reads: Mapping[str, ReadReference],
    writes: Mapping[str, int],
) -> tuple[str, str]:
    match step.type.columns:
        case Columns.DATASET:
            return _dataset(step, path, tables, faults, reads)
        case Columns.QUERY:
            return _sql(step, path, tables, faults)
        case Columns.SOURCE:
            return _source(step, tables)
    written = step.type.dataset_field("write")
    if written is not None:
        dataset = str(step.options[written])
        number = writes.get(dataset, 0)
        return (
            CHECKED,
            f"writes version {number + 1} of dataset {dataset}"
            if number
            else f"creates dataset {dataset}",
        )
    for name in step.makes:
        tables.unknown[name] = f"the columns of {name} are known only after step {step.id}"
    return NOT_CHECKED, step.type.unchecked


def _source(step: Step, tables: _Tables) -> tuple[str, str]:
    """Give the table of the step the same columns as the table that the step reads."""
    source = step.tables[0]
    why = tables.unknown.get(source) or tables.add(step.id, tables.columns[source])
    if why:
        tables.unknown[step.id] = why
        return NOT_CHECKED, why
    return CHECKED, f"has the columns of {source}"


def _dataset(
    step: Step,
    path: str,
    tables: _Tables,
    faults: list[FieldError],
    reads: Mapping[str, ReadReference],
) -> tuple[str, str]:
    if "dataset" not in step.options:
        tables.unknown[step.id] = f"the columns of {step.id} are known only after its URL is read"
        return NOT_CHECKED, step.type.unchecked
    found = reads.get(step.id)
    if found is None or "columns" not in found:
        tables.unknown[step.id] = f"the dataset of step {step.id} does not exist"
        message = found.get("missing", "") if found else "was not looked up"
        faults.append(
            FieldError(
                f"{path}.{'version' if found and found.get('other_version') else 'dataset'}",
                message,
            )
        )
        return FAILED, message
    schema = [(str(column["name"]), str(column["type"])) for column in found["columns"]]
    why = tables.add(step.id, schema)
    if why:
        tables.unknown[step.id] = why
        return NOT_CHECKED, why
    columns = f"{len(schema)} column{'s' if len(schema) != 1 else ''}"
    return (
        CHECKED,
        f"reads dataset {step.options['dataset']} version {found['version']} ({columns})",
    )


def _sql(step: Step, path: str, tables: _Tables, faults: list[FieldError]) -> tuple[str, str]:
    import duckdb

    unknown = next((tables.unknown[name] for name in step.tables if name in tables.unknown), "")
    if unknown:
        tables.unknown[step.id] = unknown
        return NOT_CHECKED, f"only its syntax was checked: {unknown}"
    field = step.type.names("sql")[0]
    query = without_end(str(step.options[field]))
    try:
        described = tables.connection.execute(f"DESCRIBE SELECT * FROM (\n{query}\n)").fetchall()
    except (duckdb.OutOfMemoryException, MemoryError):
        tables.unknown[step.id] = f"step {step.id} needs more memory to check than is allowed"
        return (
            NOT_CHECKED,
            "only its syntax was checked: the rest exceeds the memory limit of a check",
        )
    except duckdb.Error as error:
        message = bind_message(
            str(error),
            known={
                name: [column for column, _kind in tables.columns[name]] for name in step.tables
            },
            query=query,
        )
        faults.append(
            FieldError(f"{path}.{field}", message, str(error).split("\n\nLINE")[0].strip()[:500])
        )
        tables.unknown[step.id] = f"step {step.id} has an error"
        return FAILED, message
    schema = [(str(row[0]), str(row[1])) for row in described]
    why = tables.add(step.id, schema)
    if why:
        tables.unknown[step.id] = why
    columns = f"{len(schema)} column{'s' if len(schema) != 1 else ''}"
    return CHECKED, f"its SQL matches the columns of its tables and returns {columns}"


def _stored(kind: str) -> str:
    if kind.startswith("ENUM("):
        return "VARCHAR"
    return _STORED.get(kind, kind)


def nearest(name: str, names: list[str]) -> str:
    """Return the most similar of `names`, or an empty text."""
    folded = {other.casefold(): other for other in names}
    found = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else ""
