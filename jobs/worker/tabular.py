"""Columns of a dataset as model input, the same in training and in inference.

Numbers and booleans become floats, dates and times days since 1970-01-01 (UTC) as floats, text
stays text; a missing value is NaN in each. DuckDB converts, so that a column means the same in
every file format. Signatures are in `mimir/lib/schemas/signature.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.pipelines.tables import Table, Tables, short_message
from jobs.worker.workload_context import WorkFailed
from mimir.lib.tables import identifier, quoted

FLOAT_MAX = 3.4e38  # trees calculate in 32 bits
CELLS_A_BATCH, ROWS_A_BATCH_MIN, ROWS_A_BATCH_MAX = 4_000_000, 1024, 65_536
_SQL = {
    "number": "CAST({0} AS DOUBLE)",
    "boolean": "CAST(CAST({0} AS TINYINT) AS DOUBLE)",
    "time": "CASE WHEN isfinite({0}) THEN epoch({0}) / 86400 END",
    "category": "CAST({0} AS VARCHAR)",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """Feature of a model. `type`: as DuckDB names it; `kind`: as `signature.kind_of` returns it."""

    name: str
    kind: str
    type: str


def feature_sql(feature: Feature) -> str:
    """Return the SQL expression that reads a feature."""
    column = identifier(feature.name)
    if feature.type == "TIMESTAMPTZ_NS":  # DuckDB has no isfinite() and no epoch() for it
        column = f"CAST(CAST({column} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
    return _SQL[feature.kind].format(column)


def stored_sql(name: str, column_type: str) -> str:
    """Return the SQL expression that copies a column to a Parquet file.

    Parquet has no 128-bit integers.
    """
    column = identifier(name)
    return f"CAST({column} AS BIGINT)" if column_type in ("HUGEINT", "UHUGEINT") else column


def batches(
    tables: Tables, table: Table, columns: Sequence[str], *, or_empty: bool = False
) -> Iterator[Any]:
    """Yield Arrow record batches of the SQL expressions `columns`, named c0, c1, …, in row order.

    `or_empty`: a table without rows yields one empty batch, which has the columns' types. Raises:
    WorkFailed.
    """
    import duckdb
    import pyarrow

    rows = max(ROWS_A_BATCH_MIN, min(ROWS_A_BATCH_MAX, CELLS_A_BATCH // max(1, len(columns))))
    selected = ", ".join(f"{sql} AS c{index}" for index, sql in enumerate(columns))
    connection = tables.connect(readable=[table.path])
    try:
        reader = connection.sql(
            f"SELECT {selected} FROM read_parquet({quoted(str(table.path))})"
        ).to_arrow_reader(rows)
        empty = True
        for batch in reader:
            empty = False
            yield batch
        if or_empty and empty:
            yield pyarrow.RecordBatch.from_pylist([], schema=reader.schema)
    except duckdb.OutOfMemoryException as error:
        raise WorkFailed(FailureReason.OUT_OF_MEMORY, "") from error
    except duckdb.Error as error:
        raise WorkFailed(FailureReason.INVALID_INPUT, short_message(str(error))) from error
    finally:
        connection.close()


def frame_of(features: Sequence[Feature], columns: Sequence[Any], *, first_row: int = 1) -> Any:
    """Return a pandas frame of Arrow arrays, one for each feature.

    `first_row`: the number of its first row, for messages. Raises: WorkFailed.
    """
    import pandas

    values_by_name = {
        feature.name: _texts(column)
        if feature.kind == "category"
        else _numbers(feature, column, first_row)
        for feature, column in zip(features, columns, strict=True)
    }
    return pandas.DataFrame(values_by_name)


def _numbers(feature: Feature, column: Any, first_row: int) -> Any:
    import numpy

    values = column.to_numpy(zero_copy_only=False)
    if values.dtype != numpy.float64:  # a batch without any value
        values = values.astype(numpy.float64)
    with numpy.errstate(invalid="ignore"):
        wrong = numpy.abs(values) > FLOAT_MAX
    if wrong.any():
        row = int(wrong.argmax())
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"Column {feature.name} is {values[row]} in row {first_row + row}: "
            f"a model can use numbers up to {FLOAT_MAX:g}. Remove such rows, "
            "or make the value missing, in a pipeline.",
            column=feature.name,
            row=first_row + row,
        )
    return values


def _texts(column: Any) -> Any:
    """Return text as objects; equal texts share one object."""
    import numpy

    encoded = column.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    texts = numpy.empty(len(known) + 1, dtype=object)
    texts[:-1], texts[-1] = known, numpy.nan
    return texts[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
