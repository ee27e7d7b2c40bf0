"""Conversion of Arrow IPC files and streams to Parquet, batch by batch, with pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mimir.lib.reading.messages import Notice
from mimir.lib.tables import COLUMNS_MAX, NotATable

_NO_DURATIONS = "Parquet has no durations; the value counts the unit of the file"


def write_parquet(source: Path, target: Path, warnings: list[Notice]) -> None:
    """Write the table of an IPC file or stream as Parquet. Raises: NotATable."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.memory_map(str(source)) as file:
            schema, batches = _opened(pyarrow, file)
            if len(schema) > COLUMNS_MAX:
                raise NotATable(
                    f"The file has {len(schema)} columns; at most {COLUMNS_MAX} are accepted."
                )
            stored = pyarrow.schema([_stored(pyarrow, field, warnings) for field in schema])
            rows = max(2048, min(122_880, 1_000_000 // max(1, len(schema))))
            with pyarrow.parquet.ParquetWriter(
                target, stored, compression="zstd", store_schema=False
            ) as writer:
                for batch in batches:
                    for start in range(0, batch.num_rows, rows):
                        table = pyarrow.Table.from_batches([batch.slice(start, rows)])
                        writer.write_table(table.cast(stored) if table.schema != stored else table)
    except (pyarrow.ArrowException, ValueError, OSError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None and error.errno != 22:
            raise
        raise NotATable(
            "The Arrow file is damaged, or contains values that a table cannot store. Write it"
            " again.",
            detail=str(error)[:500],
        ) from error


def duration_notices(parquet: Path) -> list[Notice]:
    """Return a warning for each duration column: Parquet stores only the number."""
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(parquet)
    except (pyarrow.ArrowException, ValueError, OSError):
        return []
    return [
        _type_changed(field.name, "BIGINT", _NO_DURATIONS)
        for field in schema
        if pyarrow.types.is_duration(field.type)
    ]


def _type_changed(column: str, type_name: str, reason: str) -> Notice:
    return Notice("type_changed", {"column": column, "type": type_name, "reason": reason})


def _opened(pyarrow: Any, file: Any) -> tuple[Any, Iterator[Any]]:
    if file.read(6) == b"ARROW1":
        reader = pyarrow.ipc.open_file(file)
        return reader.schema, (
            reader.get_batch(index) for index in range(reader.num_record_batches)
        )
    file.seek(0)
    stream = pyarrow.ipc.open_stream(file)
    return stream.schema, iter(stream)


def _stored(pyarrow: Any, field: Any, warnings: list[Notice]) -> Any:
    """Return the field with a type that Parquet can store; warn if the values change."""
    kind, types = field.type, pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType):
        kind = kind.storage_type
    if types.is_dictionary(kind):
        kind = kind.value_type
    changed = {
        types.is_null: (pyarrow.string(), "it has no values"),
        types.is_float16: (pyarrow.float32(), "Parquet has no 16-bit numbers"),
        types.is_duration: (pyarrow.int64(), _NO_DURATIONS),
        types.is_string_view: (pyarrow.string(), ""),
        types.is_binary_view: (pyarrow.binary(), ""),
    }
    for test, (wanted, reason) in changed.items():
        if test(kind):
            kind = wanted
            if reason:
                warnings.append(_type_changed(field.name, str(wanted), reason))
            break
    return pyarrow.field(field.name, kind, True)
