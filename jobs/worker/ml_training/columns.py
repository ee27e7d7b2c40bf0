"""Choose the columns that a model is trained on, and decide how each is read.

`docs/explanation/training.md` describes these rules for users: keep both consistent. A notice names
a column and what was done with it. Only columns that cannot help are dropped, and never without a
notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from jobs.contract import EventKind, FailureReason
from jobs.contract.job_parameters import TrainingParameters
from jobs.worker.joblog import log
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.tabular import Feature, feature_sql
from jobs.worker.textforms import TextFacts, describe_form, number_sql, text_facts
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.signature import kind_of
from mimir.lib.tables import identifier, quoted

# Text with a larger share of distinct values identifies rows and does not generalize.
DISTINCT_SHARE_MAX = 0.9
DISTINCT_ROWS_MIN = 20  # with fewer rows, the share says nothing
NAMES_SHOWN = 20
COLUMNS_A_QUERY = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """A feature and the SQL expression that reads it."""

    feature: Feature
    sql: str


def training_parameters(context: WorkloadContext) -> TrainingParameters:
    """Return the job's parameters, which the orchestrator checked at submit."""
    return cast("TrainingParameters", context.job["parameters"])


def choose_columns(
    context: WorkloadContext, tables: Tables, table: Table, types: Mapping[str, str]
) -> list[Reading]:
    """Return the features, each with its SQL expression. Raises: WorkFailed if none is left."""
    parameters = training_parameters(context)
    target, excluded = parameters["target"], parameters.get("exclude", [])
    named = parameters.get("features")
    wanted = [name for name in (named or types) if name != target and name not in excluded]
    _check_names([*wanted, *excluded], types)
    kinds = {name: kind_of(types[name]) for name in wanted}
    facts = text_facts(tables, table, [name for name in wanted if kinds[name] == "category"])
    usable: list[Reading] = []
    dropped: dict[str, str] = {}
    for name in wanted:
        reading = _reading(name, types[name], facts.get(name))
        if reading is None:
            dropped[name] = f"is {types[name]}, which no model can use"
        else:
            usable.append(reading)
    if usable:
        useless = {} if named else _useless(tables, table, usable)
        for name, why in useless.items():
            form = facts[name].form() if name in facts else None
            dropped[name] = f"{why} ({describe_form(name, *form)})" if form else why
        usable = [one for one in usable if one.feature.name not in useless]
        _report_texts(context, usable, facts)
    _report_dropped(context, dropped)
    if not usable:
        why = "; ".join(f"{name} {reason}" for name, reason in list(dropped.items())[:NAMES_SHOWN])
        raise WorkFailed(FailureReason.INVALID_INPUT, f"No feature is left. {why}.")
    names = ", ".join(f"{one.feature.name} ({one.feature.kind})" for one in usable[:100])
    log(f"columns used: {names}")
    return usable


def _check_names(names: list[str], types: Mapping[str, str]) -> None:
    missing = next((name for name in names if name not in types), None)
    if missing is not None:
        shown = ", ".join(list(types)[:NAMES_SHOWN])
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"There is no column {missing}: the dataset has {shown}.",
            column=missing,
        )


def _reading(name: str, column_type: str, facts: TextFacts | None) -> Reading | None:
    """Return how a column is read; None for a type that no model can use.

    Text of which nearly all cells are numbers is read as numbers; text of which all cells are
    numbers only if nearly all of them are distinct.
    """
    kind = kind_of(column_type)
    if kind is None:
        return None
    many = (
        facts is not None
        and facts.is_all_numbers
        and facts.distinct
        > DISTINCT_SHARE_MAX * facts.values
        >= DISTINCT_SHARE_MAX * DISTINCT_ROWS_MIN
    )
    if facts is not None and (facts.is_number or many):
        return Reading(Feature(name, "number", "DOUBLE"), number_sql(name))
    feature = Feature(name, kind, column_type)
    return Reading(feature, feature_sql(feature))


def _useless(tables: Tables, table: Table, readings: list[Reading]) -> dict[str, str]:
    """Return the columns that cannot help, each with the reason."""
    found = {}
    connection = tables.connect(readable=[table.path])
    for start in range(0, len(readings), COLUMNS_A_QUERY):
        part = readings[start : start + COLUMNS_A_QUERY]
        counted = []
        for one in part:
            distinct = f"count(DISTINCT {one.sql})" if one.feature.kind == "category" else "NULL"
            counted += [
                f"count({one.sql})",
                f"coalesce(min({one.sql}) = max({one.sql}), false)",
                distinct,
            ]
        row = connection.execute(
            f"SELECT {', '.join(counted)} FROM read_parquet({quoted(str(table.path))})"
        ).fetchone()
        for one, values, constant, distinct in zip(
            part, row[::3], row[1::3], row[2::3], strict=True
        ):
            if values == 0:
                found[one.feature.name] = "has no value"
            elif constant:
                found[one.feature.name] = "has one value only"
            elif (
                one.feature.kind == "category"
                and values >= DISTINCT_ROWS_MIN
                and distinct > DISTINCT_SHARE_MAX * values
            ):
                found[one.feature.name] = "is text that differs in nearly every row"
    connection.close()
    return found


def _report_texts(
    context: WorkloadContext, readings: list[Reading], facts: Mapping[str, TextFacts]
) -> None:
    """Report text columns that are used as numbers, or that a pipeline could convert."""
    for one in readings:
        name = one.feature.name
        found = facts.get(name)
        if found is None:
            continue
        if one.feature.kind == "number" and found.others.count:
            message = (
                f"Column {name} is text because of {found.others.shown()}: "
                f"{found.numbers:,} of its {found.values:,} values are numbers."
            )
            notice(
                context, f"{message} It is used as a number; {_others(found.others.count)} missing."
            )
        elif one.feature.kind == "number":
            notice(
                context,
                f"Column {name} is text, but all of its {found.values:,} values are numbers. "
                "It is used as a number.",
            )
        elif found.is_all_numbers:
            hint = f"convert it in a pipeline, for example CAST({identifier(name)} AS DOUBLE)"
            notice(
                context,
                f"Column {name} is text, but all of its values are numbers. "
                f"It is used as categories; to use it as a number, {hint}.",
            )
        elif form := found.form():
            notice(context, f"Column {describe_form(name, *form)}. It is used as categories.")


def _others(count: int) -> str:
    return "the other value counts as" if count == 1 else f"the other {count:,} values count as"


def _report_dropped(context: WorkloadContext, dropped: Mapping[str, str]) -> None:
    if dropped:
        shown = "; ".join(f"{name} {why}" for name, why in list(dropped.items())[:NAMES_SHOWN])
        more = f"; and {len(dropped) - NAMES_SHOWN} more" if len(dropped) > NAMES_SHOWN else ""
        notice(context, f"Excluded, because they carry no information: {shown}{more}.")


def notice(context: WorkloadContext, message: str) -> None:
    """Report a notice on the job's page and in its log."""
    log(message)
    context.event(EventKind.NOTICE, message=message)
