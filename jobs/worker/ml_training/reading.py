"""Training data: the features, and the rows that have a target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.contract import FailureReason
from jobs.contract.job_parameters import TrainingParameters
from jobs.worker.joblog import log
from jobs.worker.ml_training.columns import (
    Reading,
    choose_columns,
    notice,
    training_parameters,
)
from jobs.worker.ml_training.target import Target, read_target
from jobs.worker.pipelines.inputs import read_dataset
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.tabular import Feature, batches, feature_sql, frame_of
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.signature import kind_of

ROWS_MIN = 10
INPUT = "dataset"


@dataclass(frozen=True, slots=True)
class Learning:
    """Training data.

    `frame` has a column for each of `features`, `target` a value for each row of `frame`. `order`
    is the time of each row for a split by time, else None. `unused_rows` counts the rows of the
    dataset that are not in the frame.
    """

    task: str
    features: list[Feature]
    target_type: str
    frame: Any
    target: Any
    unused_rows: int
    order: Any = None


@dataclass(frozen=True, slots=True)
class _Rows:
    frame: Any
    target: Any
    order: Any
    without_target: int
    without_time: int


def read_learning(context: WorkloadContext) -> Learning:
    """Read the job's dataset version as features and target. Raises: WorkFailed."""
    tables = Tables(
        context.data_dir / "tables",
        memory_bytes=context.limits["memory_bytes"],
        cpu_millicores=context.limits["cpu_millicores"],
    )
    count = read_dataset(context, tables, INPUT)
    table = tables.by_name[INPUT]
    types = {column["name"]: column["type"] for column in tables.schema(INPUT)}
    log(f"{count:,} rows, {len(types):,} columns")
    target = read_target(context, tables, table, types)
    log(f"target: {target.name}, {target.task}")
    time_column = _time_column(training_parameters(context), types)
    readings = choose_columns(context, tables, table, types)
    rows = _rows(
        tables, table, readings, target, (time_column, types[time_column]) if time_column else None
    )
    if rows.without_target:
        notice(
            context,
            f"{rows.without_target:,} of {count:,} rows have no {target.name}: they are not used.",
        )
    if rows.without_time:
        notice(
            context,
            f"{rows.without_time:,} rows have no {time_column}, the time of the split: "
            "they are not used.",
        )
    if len(rows.target) < ROWS_MIN:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{len(rows.target)} rows have a value of the target {target.name}; "
            f"at least {ROWS_MIN} are required. Add rows, or choose another target.",
            column=target.name,
        )
    features = [one.feature for one in readings]
    return Learning(
        target.task,
        features,
        target.type,
        rows.frame,
        rows.target,
        rows.without_target + rows.without_time,
        rows.order,
    )


def _time_column(parameters: TrainingParameters, types: Mapping[str, str]) -> str:
    """Return the column that orders the rows of a split by time; empty for a random split.

    Raises: WorkFailed if no column is named and the dataset does not have exactly one with times,
    or if the named column does not exist or has another type.
    """
    if parameters.get("split") != "time":
        return ""
    named = parameters.get("time_column")
    times = [name for name in types if kind_of(types[name]) == "time"]
    if named is None and len(times) != 1:
        shown = (
            f"it has {', '.join(times[:20])}" if times else "it has none: convert one in a pipeline"
        )
        message = (
            "A split by time needs time_column: without it, the dataset must have exactly one "
            f"column of dates or times, and {shown}."
        )
        raise WorkFailed(FailureReason.INVALID_INPUT, message)
    name = named or times[0]
    if name not in types or kind_of(types[name]) not in ("time", "number"):
        what = f"is {types[name]}" if name in types else "does not exist"
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"The time_column {name} {what}. It must hold dates, times or numbers.",
            column=name,
        )
    return name


def _rows(
    tables: Tables,
    table: Table,
    readings: list[Reading],
    target: Target,
    time: tuple[str, str] | None,
) -> _Rows:
    """Read the rows that have a target and, for a split by time, a time."""
    import numpy
    import pandas

    features = [one.feature for one in readings]
    order_sql = feature_sql(Feature(time[0], str(kind_of(time[1])), time[1])) if time else "0.0"
    frames, targets, row_times, read, untimed = [], [], [], 0, 0
    for batch in batches(tables, table, [*(one.sql for one in readings), target.sql, order_sql]):
        frame = frame_of(features, batch.columns[:-2], first_row=read + 1)
        cells, times = batch.columns[-2], batch.columns[-1]
        there = ~cells.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        timed = ~times.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        untimed += int((there & ~timed).sum())
        usable = there & timed
        frames.append(frame[usable])
        targets.append(cells.filter(usable).to_numpy(zero_copy_only=False))
        row_times.append(times.filter(usable).to_numpy(zero_copy_only=False))
        read += batch.num_rows
    if not frames:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            "The dataset has no rows. Upload a version with rows.",
        )
    values = target.values(numpy.concatenate(targets))
    order = numpy.concatenate(row_times) if time else None
    return _Rows(
        pandas.concat(frames, ignore_index=True),
        values,
        order,
        read - len(values) - untimed,
        untimed,
    )
