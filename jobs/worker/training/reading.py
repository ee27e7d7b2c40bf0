"""The table a model learns from: which columns, and the rows that have a target."""

from dataclasses import dataclass
from typing import Any

from jobs.contract import EventKind, FailureReason
from jobs.worker.orders import Orders, WorkFailed
from jobs.worker.pipelines.read import read_dataset
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.tabular import Feature, batches, feature_sql, frame_of
from mimir.lib.schemas.metrics import CLASSIFICATION, REGRESSION
from mimir.lib.schemas.signature import kind_of
from mimir.lib.tables import identifier, quoted

ROWS_MIN = 10
DISTINCT_SHARE_MAX = 0.9  # text with more distinct values for each row tells rows apart, and nothing else
DISTINCT_ROWS_MIN = 20  # below so many rows that cannot be told
NUMBERS_SHARE_MIN = 0.9  # of a text column: its author meant numbers
NAMES_SHOWN = 20
INPUT = "dataset"
_TASK_OF_ALGORITHM = {"linear": REGRESSION, "logistic": CLASSIFICATION}
_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})


@dataclass(frozen=True, slots=True)
class Learning:
    """What is to be learned: `frame` has a column for each of `features`, `target` a value for each of its rows."""

    task: str
    features: list[Feature]
    target_type: str
    frame: Any
    target: Any
    dropped_rows: int


def read_learning(orders: Orders) -> Learning:
    """The dataset version of the job as features and target. Raises: WorkFailed."""
    tables = Tables(orders.data_dir / "tables", memory_bytes=orders.limits["memory_bytes"], cpu_millicores=orders.limits["cpu_millicores"])
    read_dataset(orders, tables, INPUT)
    table, schema = tables.made[INPUT], tables.schema(INPUT)
    types = {column["name"]: column["type"] for column in schema}
    parameters = orders.job["parameters"]
    target_type = _type_of(parameters["target"], types)
    task = task_of(parameters, target_type)
    features = _features(orders, tables, table, types)
    _tell_nearly_numbers(orders, tables, table, features, target_type)
    frame, target, dropped = _rows(tables, table, features, (parameters["target"], target_type), task)
    if dropped:
        orders.event(EventKind.NOTICE, message=f"{dropped} of {dropped + len(target)} rows have no {parameters['target']}: they were left out.")
    if len(target) < ROWS_MIN:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{len(target)} rows have a value of the target {parameters['target']}; at least {ROWS_MIN} are needed to learn from and to judge by. "
            "Add rows, or choose another target.",
            column=parameters["target"],
        )
    return Learning(task, features, target_type, frame, target, dropped)


def task_of(parameters: dict[str, Any], target_type: str) -> str:
    """What was asked for, or what the algorithm is for, or what the target's type says."""
    asked = parameters.get("task") or _TASK_OF_ALGORITHM.get(parameters.get("algorithm", ""))
    return str(asked or (REGRESSION if kind_of(target_type) == "number" else CLASSIFICATION))


def _type_of(name: str, types: dict[str, str]) -> str:
    found = types.get(name)
    if found is None:
        shown = ", ".join(list(types)[:NAMES_SHOWN])
        raise WorkFailed(FailureReason.INVALID_INPUT, f"There is no column {name}: the dataset has {shown}.", column=name)
    return found


def _features(orders: Orders, tables: Tables, table: Table, types: dict[str, str]) -> list[Feature]:
    """The named ones, or all that can help. Raises: WorkFailed when none is left."""
    parameters = orders.job["parameters"]
    asked = parameters.get("features")
    wanted = asked or [name for name in types if name != parameters["target"]]
    usable, left_out = [], {}
    for name in wanted:
        kind = kind_of(_type_of(name, types))
        if kind is None:
            left_out[name] = f"is {types[name]}, which no model can use"
        else:
            usable.append(Feature(name, kind, types[name]))
    if asked is None and usable:
        useless = _useless(tables, table, usable)
        usable = [feature for feature in usable if feature.name not in useless]
        left_out |= useless
    _tell(orders, left_out)
    if not usable:
        why = "; ".join(f"{name} {reason}" for name, reason in list(left_out.items())[:NAMES_SHOWN])
        raise WorkFailed(FailureReason.INVALID_INPUT, f"No column is left to learn from. {why}.")
    return usable


def _tell_nearly_numbers(orders: Orders, tables: Tables, table: Table, features: list[Feature], target_type: str) -> None:
    """One cell that is no number makes text of a whole column: say which. Raises: WorkFailed when it is the target, and nobody wants classes."""
    parameters = orders.job["parameters"]
    target = parameters["target"]
    texts = [feature.name for feature in features if feature.kind == "category"]
    wants_classes = "task" in parameters or parameters.get("algorithm") in _TASK_OF_ALGORITHM
    if kind_of(target_type) == "category" and not wants_classes:
        texts.append(target)
    for name, (numbers, values, row, cell) in _numbers_in(tables, table, texts).items():
        if not NUMBERS_SHARE_MIN * values <= numbers < values:
            continue
        why = f"{name} is text because of {cell[:60]!r} in row {row}: {numbers} of its {values} values are numbers"
        if name == target:
            hint = "Correct the cell, leave the row out in a pipeline, or choose task classification"
            raise WorkFailed(FailureReason.INVALID_INPUT, f"The target {why}. {hint}.", column=name, row=row)
        orders.event(EventKind.NOTICE, message=f"Column {why}. It is learned as categories; correct the cell to learn it as a number.")


def _numbers_in(tables: Tables, table: Table, names: list[str]) -> dict[str, tuple[int, int, int, str]]:
    """Of each text column: how many values are numbers, how many there are, and the first one that is none, with its row."""
    found = {}
    connection = tables.connect(readable=[table.path])
    source = f"read_parquet({quoted(str(table.path))}, file_row_number = true)"
    for name in names:
        text = f"CAST({identifier(name)} AS VARCHAR)"
        number = f"TRY_CAST({text} AS DOUBLE)"
        none = f"FILTER (WHERE {text} IS NOT NULL AND {number} IS NULL)"
        select = f"count({number}), count({text}), min(file_row_number) {none}, arg_min({text}, file_row_number) {none}"
        numbers, values, row, cell = connection.execute(f"SELECT {select} FROM {source}").fetchone()
        found[name] = (numbers, values, (row or 0) + 1, cell or "")
    connection.close()
    return found


def _useless(tables: Tables, table: Table, features: list[Feature]) -> dict[str, str]:
    """Why a column cannot help, for those that cannot."""
    counted = []
    for feature in features:
        column = identifier(feature.name)
        distinct = f"count(DISTINCT {column})" if feature.kind == "category" else "NULL"
        counted += [f"count({column})", f"coalesce(min({column}) = max({column}), false)", distinct]
    connection = tables.connect(readable=[table.path])
    row = connection.execute(f"SELECT {', '.join(counted)} FROM read_parquet({quoted(str(table.path))})").fetchone()
    connection.close()
    found = {}
    for feature, values, constant, distinct in zip(features, row[::3], row[1::3], row[2::3], strict=True):
        if values == 0:
            found[feature.name] = "has no value"
        elif constant:
            found[feature.name] = "has one value only"
        elif feature.kind == "category" and values >= DISTINCT_ROWS_MIN and distinct > DISTINCT_SHARE_MAX * values:
            found[feature.name] = "is text that differs in nearly every row"
    return found


def _tell(orders: Orders, left_out: dict[str, str]) -> None:
    if left_out:
        shown = "; ".join(f"{name} {why}" for name, why in list(left_out.items())[:NAMES_SHOWN])
        more = f"; and {len(left_out) - NAMES_SHOWN} more" if len(left_out) > NAMES_SHOWN else ""
        orders.event(EventKind.NOTICE, message=f"Left out, because they cannot help: {shown}{more}.")


def _rows(tables: Tables, table: Table, features: list[Feature], target: tuple[str, str], task: str) -> tuple[Any, Any, int]:
    """The frame, the target and how many rows had none."""
    import numpy
    import pandas

    frames, targets, seen = [], [], 0
    for batch in batches(tables, table, [*map(feature_sql, features), _target_sql(*target, task)]):
        frame = frame_of(features, batch.columns[:-1], first_row=seen + 1)
        column = batch.columns[-1]
        there = ~column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        frames.append(frame[there])
        targets.append(column.filter(there).to_numpy(zero_copy_only=False))
        seen += batch.num_rows
    if not frames:
        raise WorkFailed(FailureReason.INVALID_INPUT, "The dataset has no rows: there is nothing to learn from. Upload some.")
    values = _target_values(numpy.concatenate(targets), *target, task)
    return pandas.concat(frames, ignore_index=True), values, seen - len(values)


def _target_sql(name: str, target_type: str, task: str) -> str:
    """Numbers for a regression; classes as they are: whole numbers, truth values or text."""
    column, kind = identifier(name), kind_of(target_type)
    if kind == "category":
        return f"CAST({column} AS VARCHAR)"
    if task == REGRESSION or (kind == "number" and target_type not in _WHOLE):
        return f"CAST({column} AS DOUBLE)"
    return f"CAST({column} AS BIGINT)" if kind == "number" else column


def _target_values(values: Any, name: str, target_type: str, task: str) -> Any:
    """Of one kind, checked. Raises: WorkFailed."""
    import numpy

    if values.dtype == numpy.float64 and not numpy.isfinite(values).all():
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"The target {name} is infinite in {int((~numpy.isfinite(values)).sum())} rows. Leave them out in a pipeline.",
            column=name,
        )
    if task == REGRESSION:
        return values.astype(numpy.float64)
    if values.dtype == numpy.float64:
        return _whole(values, name)
    return values.astype(bool) if kind_of(target_type) == "boolean" else values


def _whole(values: Any, name: str) -> Any:
    """Classes written as floating point numbers."""
    import numpy

    broken = values != numpy.floor(values)
    if broken.any():
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"The target {name} has fractions ({values[broken][0]}), which are no classes. "
            "Choose task regression, or make classes of it in a pipeline.",
            column=name,
        )
    return values.astype(numpy.int64)
