"""Read the columns of a dataset as the features of a model.

A column of another type than the feature is judged by its values: a column without values fits
every feature, text can hold numbers, and a number can be a category. A value that does not fit is
reported with its row and its cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jobs.contract import FailureReason
from jobs.contract.job_parameters import InferenceParameters
from jobs.worker.joblog import log
from jobs.worker.ml_training.columns import notice
from jobs.worker.ml_training.estimators import MISSING_TEXT
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.tabular import Feature, feature_sql
from jobs.worker.textforms import NUMBERS_SHARE_MIN, missing_texts_sql
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.signature import (
    ModelSignature,
    SignatureFeature,
    absent,
    kind_of,
    may_lack_columns,
    mismatch,
    signature_faults,
)
from mimir.lib.table_shapes import ColumnType
from mimir.lib.tables import identifier, quoted

FAULTS_SHOWN = 20
COLUMNS_A_QUERY = 100
CATEGORIES_A_CHECK = 10_000
_EMPTY = {"category": "CAST(NULL AS VARCHAR)"}
_NO_VALUE = "CAST(NULL AS DOUBLE)"
# The column is known to hold numbers: 007 is 7.
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_TRUE, _FALSE = "('true', 't', 'yes', 'y', '1', '1.0')", "('false', 'f', 'no', 'n', '0', '0.0')"
_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, slots=True)
class _Conversion:
    """SQL expressions that read a column of another type.

    `cell`: the text, NULL without a value. `value`: NULL also for a cell that does not fit.
    """

    cell: str
    value: str


def inference_parameters(context: WorkloadContext) -> InferenceParameters:
    """Return the job's parameters, which the orchestrator checked at submit."""
    return cast("InferenceParameters", context.job["parameters"])


def read_features(
    context: WorkloadContext,
    tables: Tables,
    table: Table,
    model: Any,
    signature: ModelSignature,
    format_name: str,
) -> list[str]:
    """Return the SQL expression of each feature, in the signature's order.

    Raises: WorkFailed `signature_mismatch` with the first FAULTS_SHOWN differences.
    """
    types = {column["name"]: column["type"] for column in tables.schema(_name_of(tables, table))}
    absent_is_empty = may_lack_columns(
        inference_parameters(context).get("missing_columns"), format_name
    )
    schema: list[ColumnType] = [
        {"name": name, "type": column_type} for name, column_type in types.items()
    ]
    # Compare the names first. A type that does not match is judged by its values below, because the
    # column may have none.
    faults = signature_faults(signature, schema, empty=types, absent_is_empty=absent_is_empty)
    conversions = {
        feature["name"]: _conversion(feature["kind"], feature["name"], types[feature["name"]])
        for feature in signature["features"]
        if feature["name"] in types and kind_of(types[feature["name"]]) != feature["kind"]
    }
    faults += _misfits(context, tables, table, signature, types, conversions)
    faults += _unknown_categories(tables, table, model, signature, types, conversions)
    if faults:
        raise WorkFailed(
            FailureReason.SIGNATURE_MISMATCH,
            "; ".join(faults[:FAULTS_SHOWN]),
            differences=[*faults[:FAULTS_SHOWN]],
        )
    missing = absent(signature, types)
    if missing:
        notice(
            context,
            f"The dataset has no column {', '.join(missing[:FAULTS_SHOWN])}: "
            "predicted as if it had no value.",
        )
    return [_sql(feature, types, conversions) for feature in signature["features"]]


def _name_of(tables: Tables, table: Table) -> str:
    return next(name for name, item in tables.by_name.items() if item is table)


def _sql(
    feature: SignatureFeature, types: Mapping[str, str], conversions: Mapping[str, _Conversion]
) -> str:
    name = feature["name"]
    if name not in types:
        return _EMPTY.get(feature["kind"], _NO_VALUE)
    return (
        conversions[name].value
        if name in conversions
        else feature_sql(Feature(name, feature["kind"], types[name]))
    )


def _conversion(kind: str, name: str, column_type: str) -> _Conversion:
    column, found = identifier(name), kind_of(column_type)
    text = f"({column} ->> '$')" if column_type == "JSON" else f"CAST({column} AS VARCHAR)"
    cell = f"nullif(trim({text}), '')"
    if kind == "category":
        return _Conversion(cell, _as_category(column, cell, column_type, found))
    if found == "category" or column_type == "JSON":
        cell = f"CASE WHEN lower({cell}) NOT IN {missing_texts_sql()} THEN {cell} END"
        return _Conversion(cell, _from_text(kind, cell))
    if kind == "number" and found == "boolean":
        return _Conversion(cell, f"CAST(CAST({column} AS TINYINT) AS DOUBLE)")
    if kind == "boolean" and found == "number":
        return _Conversion(cell, f"CASE WHEN {column} IN (0, 1) THEN CAST({column} AS DOUBLE) END")
    return _Conversion(cell, _NO_VALUE)


def _as_category(column: str, cell: str, column_type: str, found: str | None) -> str:
    """Return the SQL of a cell as text; NULL for a type that cannot be a category.

    Whole floating-point numbers are written without a fraction, because integers with missing
    values are often stored as floating-point numbers.
    """
    if column_type in _FLOATS:
        whole = f"isfinite({column}) AND {column} = trunc({column}) AND abs({column}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) "
            f"WHEN {cell} <> 'nan' THEN {cell} END"
        )
    return cell if found is not None or column_type in ("JSON", "UUID") else _EMPTY["category"]


def _from_text(kind: str, cell: str) -> str:
    if kind == "number":
        return (
            f"CASE WHEN regexp_full_match({cell}, {quoted(_NUMBER)}) "
            f"THEN TRY_CAST({cell} AS DOUBLE) END"
        )
    if kind == "boolean":
        return (
            f"CASE WHEN lower({cell}) IN {_TRUE} THEN 1.0::DOUBLE "
            f"WHEN lower({cell}) IN {_FALSE} THEN 0.0::DOUBLE END"
        )
    at = f"CAST(TRY_CAST({cell} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
    return f"CASE WHEN isfinite({at}) THEN epoch({at}) / 86400 END"


def _misfits(
    context: WorkloadContext,
    tables: Tables,
    table: Table,
    signature: ModelSignature,
    types: Mapping[str, str],
    conversions: Mapping[str, _Conversion],
) -> list[str]:
    """Return a fault for each column whose values do not fit; report converted columns."""
    faults: list[str] = []
    features = [feature for feature in signature["features"] if feature["name"] in conversions]
    connection = tables.connect(readable=[table.path])
    source = f"read_parquet({quoted(str(table.path))}, file_row_number = true)"
    for start in range(0, len(features), COLUMNS_A_QUERY):
        part = features[start : start + COLUMNS_A_QUERY]
        selected = ", ".join(_judged(conversions[feature["name"]]) for feature in part)
        row = connection.execute(f"SELECT {selected} FROM {source}").fetchone()
        for index, feature in enumerate(part):
            values, fitting, first, cell = row[4 * index : 4 * index + 4]
            faults += _judge(
                context, feature, types[feature["name"]], int(values), int(fitting), first, cell
            )
    connection.close()
    return faults


def _judged(conversion: _Conversion) -> str:
    bad = f"FILTER (WHERE {conversion.cell} IS NOT NULL AND {conversion.value} IS NULL)"
    return (
        f"count({conversion.cell}), count({conversion.value}), min(file_row_number) {bad}, "
        f"arg_min({conversion.cell}, file_row_number) {bad}"
    )


def _judge(
    context: WorkloadContext,
    feature: SignatureFeature,
    found: str,
    values: int,
    fitting: int,
    first: int | None,
    cell: str | None,
) -> Sequence[str]:
    name = feature["name"]
    if values == 0:
        log(f"column {name} has no value")
        return ()
    if first is None:
        notice(
            context,
            f"Column {name} is {found} and is read as the model's {feature['kind']} feature "
            f"({feature['type']}): all of its values fit.",
        )
        return ()
    where = f"{(cell or '')[:60]!r} in row {first + 1:,}"
    if fitting and fitting >= NUMBERS_SHARE_MIN * values:
        others = "It counts" if values - fitting == 1 else f"{values - fitting:,} such values count"
        notice(
            context,
            f"Column {name} holds {where}, and the model was trained on {feature['type']}. "
            f"{others} as missing.",
        )
        return ()
    return (
        mismatch(
            name,
            f"is {found} and holds {where}"
            if fitting or kind_of(found) == "category"
            else f"is {found}",
            feature,
        ),
    )


def _unknown_categories(
    tables: Tables,
    table: Table,
    model: Any,
    signature: ModelSignature,
    types: Mapping[str, str],
    conversions: Mapping[str, _Conversion],
) -> list[str]:
    """Return a fault for each converted text feature without any category of the model."""
    faults = []
    known = category_names(model)
    connection = tables.connect(readable=[table.path])
    for feature in signature["features"]:
        name = feature["name"]
        if feature["kind"] != "category" or name not in conversions or not known.get(name):
            continue
        value = conversions[name].value
        source = (
            f"read_parquet({quoted(str(table.path))}) "
            f"WHERE {value} IS NOT NULL LIMIT {CATEGORIES_A_CHECK}"
        )
        found = [
            row[0]
            for row in connection.execute(f"SELECT DISTINCT {value} FROM {source}").fetchall()
        ]
        if found and not set(as_known(found, known[name])) & set(known[name]):
            shown = ", ".join([one for one in known[name] if one != MISSING_TEXT][:5])
            faults.append(
                f"{mismatch(name, f'is {types[name]}', feature)}: "
                f"none of its values is one of the model's categories ({shown})"
            )
    connection.close()
    return faults


def category_names(model: Any) -> dict[str, list[str]]:
    """Return the model's categories by feature; empty for a model without text features."""
    prepare = model[0]
    found: dict[str, list[str]] = {}
    for name, transformer, columns in getattr(prepare, "transformers_", ()):
        encoder = (
            transformer[-1]
            if name == "categories" and hasattr(transformer, "steps")
            else transformer
        )
        if name == "categories" and hasattr(encoder, "categories_"):
            for column, categories in zip(columns, encoder.categories_, strict=True):
                found[str(column)] = [value for value in categories if isinstance(value, str)]
    return found


def as_known(values: Any, known: Sequence[str]) -> Any:
    """Return `values` with numbers and booleans in text spelled as in the model's categories.

    For example 5 instead of 5.0 and True instead of true, if exactly one category matches.
    """
    names = set(known)
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(_folded(name), []).append(name)
    found: dict[str, str] = {}
    for text in {value for value in values if isinstance(value, str)} - names:
        meant = folded.get(_folded(text), [])
        if len(meant) == 1:
            found[text] = meant[0]
    if not found:
        return values
    import numpy

    return numpy.array(
        [found.get(value, value) if isinstance(value, str) else value for value in values],
        dtype=object,
    )


def _folded(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text.strip().casefold()
