"""Read the rows of a dataset as entities: a key, and property values in the definition's types."""

import contextlib
import datetime as dt
import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jobs.contract import FailureReason
from jobs.contract.job_parameters import TwinUpdateParameters
from jobs.worker.digital_twin_update.compare import Row
from jobs.worker.pipelines.tables import Tables
from jobs.worker.workload_context import WorkFailed
from mimir.lib.schemas.twin import BadValue, Field, checked_key, checked_value
from mimir.lib.tables import identifier, quoted

BATCH_ROWS = 10_000
SHOWN_MAX = 5
_SHOWN_CHARACTERS = 100
_WITHOUT_ZONE = {
    "TIMESTAMP WITH TIME ZONE": "CAST({0} AS TIMESTAMP)",
    "TIMESTAMPTZ_NS": "CAST(CAST({0} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)",
    "TIME WITH TIME ZONE": "CAST({0} AS VARCHAR)",
}
_NOT_ORDERED = ("BOOLEAN", "BLOB", "STRUCT", "MAP", "UNION", "JSON", "UUID")
_NOT_KEYS = ("FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", "BLOB", "STRUCT", "MAP", "UNION")


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a table, in its order."""

    tables: Tables
    table: str
    key: str
    columns: dict[str, str]  # property -> column
    fields: dict[str, Field]
    types: dict[str, str]  # column -> DuckDB type
    count: int
    # Column that orders several rows of one entity: the row with the largest value is used.
    latest_by: str = ""

    def __iter__(self) -> Iterator[Row]:
        """Yield (key, {property: value or None}) for each row.

        Raises: WorkFailed with the row, the column and the value that does not fit.
        """
        names = list(self.columns)
        selected = ", ".join(
            self._selected(column) for column in [self.key, *self.columns.values()]
        )
        connection = self.tables.connect(readable=[self.tables.by_name[self.table].path])
        result = connection.execute(
            f"SELECT file_row_number + 1, {selected} FROM {self._scan()} {self._latest()} "
            "ORDER BY file_row_number"
        )
        while rows := result.fetchmany(BATCH_ROWS):
            for number, key, *cells in rows:
                values = {
                    name: self._value(name, value, number)
                    for name, value in zip(names, cells, strict=True)
                }
                yield _key(key, self.key, number), values
        connection.close()

    def _latest(self) -> str:
        """Return the SQL condition that selects one row per entity, the one with the largest value.

        Of equal values, the last row is used. A missing value is smaller than any other.
        """
        if not self.latest_by:
            return ""
        return (
            f"QUALIFY row_number() OVER (PARTITION BY {self._key_text()} "
            f"ORDER BY {self._order()} DESC NULLS LAST, file_row_number DESC) = 1"
        )

    def _order(self) -> str:
        column, kind = identifier(self.latest_by), self.types[self.latest_by]
        if kind == "VARCHAR":
            return f"TRY_CAST(nullif(trim({column}), '') AS TIMESTAMP WITH TIME ZONE)"
        if kind in ("FLOAT", "DOUBLE"):
            # Compared as text: the statistics of a Parquet file omit NaN, and DuckDB would conclude
            # from them that the column has none.
            return f"CAST(nullif(CAST({column} AS VARCHAR), 'nan') AS {kind})"
        return column

    def _key_text(self) -> str:
        return f"CAST({self._selected(self.key)} AS VARCHAR)"

    def check_latest(self) -> tuple[int, int]:
        """Return the number of rows that are not the latest of their entity, and of ties.

        Raises: WorkFailed.
        """
        column, kind = identifier(self.latest_by), self.types[self.latest_by]
        if kind.startswith(_NOT_ORDERED) or kind.endswith("]"):
            raise _bad(
                f"latest_by names {self.latest_by}, which is {kind}. "
                "Choose a column of dates, times or numbers.",
                column=self.latest_by,
            )
        connection = self.tables.connect(readable=[self.tables.by_name[self.table].path])
        if kind == "VARCHAR":
            bad = f"trim({column}) <> '' AND {self._order()} IS NULL"
            first = f"min(file_row_number) + 1, arg_min({column}, file_row_number)"
            row = connection.execute(f"SELECT {first} FROM {self._scan()} WHERE {bad}").fetchone()
            if row[0] is not None:
                raise _bad(
                    f"latest_by names {self.latest_by}, which is text: {_shown(row[1])} in row "
                    f"{row[0]:,} is not a time such as 2026-03-31 14:05. "
                    "Convert the column in a pipeline, or choose another one.",
                    column=self.latest_by,
                    row=row[0],
                )
        ranked = (
            f"SELECT rank() OVER (PARTITION BY {self._key_text()} "
            f"ORDER BY {self._order()} DESC NULLS LAST) AS rank_ FROM {self._scan()}"
        )
        entities = f"SELECT count(DISTINCT {self._key_text()}) FROM {self._scan()}"
        counted = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE rank_ = 1), ({entities}) FROM ({ranked})"
        ).fetchone()
        connection.close()
        return int(counted[0] - counted[2]), int(counted[1] - counted[2])

    def check_keys(self) -> None:
        """Check that each row has a key; without `latest_by`, also that no key repeats.

        Raises: WorkFailed.
        """
        key, numbered = (
            "key_",
            f"(SELECT {self._selected(self.key)} AS key_, file_row_number + 1 AS row_ "
            f"FROM {self._scan()})",
        )
        connection = self.tables.connect(readable=[self.tables.by_name[self.table].path])
        empty = f"{key} IS NULL OR CAST({key} AS VARCHAR) = ''"
        without = connection.execute(
            f"SELECT count(*), min(row_) FROM {numbered} WHERE {empty}"
        ).fetchone()
        twice = connection.execute(
            f"SELECT {key}, list(row_ ORDER BY row_)[1:{SHOWN_MAX}] FROM {numbered} "
            f"GROUP BY {key} HAVING count(*) > 1 ORDER BY min(row_) LIMIT {SHOWN_MAX + 1}"
        ).fetchall()
        connection.close()
        if without[0]:
            raise _bad(
                f"{without[0]:,} of {self.count:,} rows have no value in the key column "
                f"{self.key}; the first is row {without[1]:,}. "
                "Each row must name its entity: fill the cells, or remove the rows.",
                column=self.key,
                row=without[1],
            )
        if twice and not self.latest_by:
            shown = "; ".join(
                f"{_shown(_text(found))} in rows {', '.join(map(str, rows))}"
                for found, rows in twice[:SHOWN_MAX]
            )
            more = " and more" if len(twice) > SHOWN_MAX else ""
            raise _bad(
                f"The key column {self.key} names the same entity more than once: {shown}{more}. "
                "Keep one row for each entity, or set latest_by to a column such as a time: "
                "the row with its largest value is used.",
                column=self.key,
                row=twice[0][1][0],
            )

    def _selected(self, column: str) -> str:
        """Return the SQL of the column without its time zone, in UTC.

        DuckDB needs a time zone library to pass a time with a zone to Python.
        """
        return _WITHOUT_ZONE.get(self.types[column], "{0}").format(identifier(column))

    def _scan(self) -> str:
        path = quoted(str(self.tables.by_name[self.table].path))
        return f"read_parquet({path}, file_row_number = true)"

    def _value(self, name: str, value: object, number: int) -> Any:
        field = self.fields[name]
        if isinstance(value, bytes | bytearray):
            column = self.columns[name]
            message = (
                f"Row {number:,} of column {column} holds bytes, which no property can hold. "
                "Convert them in a pipeline."
            )
            raise _bad(message, column=column, row=number)
        plain = _plain(value, field)
        if plain is None:
            return None
        try:
            return checked_value(field, plain)
        except BadValue as error:
            column = self.columns[name]
            raise _bad(
                f"Row {number:,} of column {column} holds {_shown(value)}; the property {name} "
                f"{error}. Correct the row, or change the property's type.",
                column=column,
                row=number,
            ) from error


def open_source(
    tables: Tables, table: str, parameters: TwinUpdateParameters, fields: dict[str, Field]
) -> Source:
    """Return the rows of `table`, with the columns of the parameters and checked keys.

    Raises: WorkFailed.
    """
    types = {column["name"]: column["type"] for column in tables.schema(table)}
    chosen = parameters.get("properties")
    columns = chosen if chosen is not None else {name: name for name in fields if name in types}
    unknown = [name for name in columns if name not in fields]
    if unknown:
        raise _bad(
            f"{parameters['type']} no longer has a property {unknown[0]}: "
            f"it has {', '.join(fields)}. Choose others in properties."
        )
    latest_by = parameters.get("latest_by", "")
    for column in (parameters["key"], *columns.values(), *([latest_by] if latest_by else [])):
        if column not in types:
            raise _bad(
                f"There is no column {column}: the dataset has {', '.join(list(types)[:20])}.",
                column=column,
            )
    key_type = types[parameters["key"]]
    if key_type.startswith(_NOT_KEYS) or key_type.endswith("]"):
        raise _bad(
            f"The key column {parameters['key']} is {key_type}: a key must be text, "
            "a whole number or a date, because it names an entity.",
            column=parameters["key"],
        )
    source = Source(
        tables,
        table,
        parameters["key"],
        dict(columns),
        fields,
        types,
        tables.rows(table),
        latest_by,
    )
    source.check_keys()
    return source


def _key(value: object, column: str, number: int) -> str:
    try:
        return checked_key(
            value if isinstance(value, int) and not isinstance(value, bool) else _text(value)
        )
    except BadValue as error:
        raise _bad(
            f"Row {number:,} of the key column {column} holds {_shown(value)}; a key {error}.",
            column=column,
            row=number,
        ) from error


def _plain(value: object, field: Field) -> Any:
    """Return a cell as a JSON value; as text for text properties and relations."""
    if value is None:
        return None
    if field.type in ("string", "relation") and not isinstance(value, str):
        return _text(value)
    if isinstance(value, str) and field.type in _READ:
        return _READ[field.type](value.strip())
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return (
            value.date().isoformat()
            if field.type == "date" and value.time() == dt.time()
            else value.isoformat()
        )
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return None  # a missing number
    return value


def _number_in(text: str) -> Any:
    """Parse a number in a text cell; return other text unchanged.

    One cell with text makes the whole column text. The other cells are still numbers, and the error
    message must show the cell with text.
    """
    for read in (int, float):
        with contextlib.suppress(ValueError):
            return read(text) if "_" not in text else text
    return text or None


def _truth_in(text: str) -> Any:
    return {"true": True, "false": False, "": None}.get(text.lower(), text)


_READ: dict[str, Callable[[str], Any]] = {
    "number": _number_in,
    "integer": _number_in,
    "boolean": _truth_in,
    "date": lambda text: text or None,
    "datetime": lambda text: text or None,
}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):
        return value.isoformat()
    return (
        str(value)
        if isinstance(value, str | int | float | Decimal | uuid.UUID | dt.time)
        else json_text(value)
    )


def json_text(value: object) -> str:
    """Return a nested value as JSON text; types that JSON lacks as strings."""
    import json

    return json.dumps(value, default=str, ensure_ascii=False)


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _bad(message: str, **facts: Any) -> WorkFailed:
    return WorkFailed(FailureReason.INVALID_INPUT, message, **facts)
