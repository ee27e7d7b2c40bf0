"""The target column: how it is read, and the task that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.contract import FailureReason
from jobs.contract.job_parameters import TrainingParameters
from jobs.worker.ml_training.columns import notice, training_parameters
from jobs.worker.pipelines.tables import Table, Tables
from jobs.worker.textforms import TextFacts, describe_form, number_sql, text_facts
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.metrics import CLASSIFICATION, REGRESSION
from mimir.lib.schemas.signature import kind_of, text_target_fault
from mimir.lib.tables import identifier

_TASK_OF_ALGORITHM = {"linear": REGRESSION, "logistic": CLASSIFICATION}
_WHOLE = frozenset(
    {
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "HUGEINT",
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """Column to predict. `type`: as in the signature; `sql`: the expression that reads it."""

    name: str
    type: str
    task: str
    sql: str

    def values(self, cells: Any) -> Any:
        """Return all cells as numbers or as classes of one type.

        Raises: WorkFailed for values that no model can learn.
        """
        import numpy

        if cells.dtype == numpy.float64 and not numpy.isfinite(cells).all():
            raise unfit(
                self.name,
                f"is infinite in {int((~numpy.isfinite(cells)).sum())} rows. "
                "Remove them in a pipeline",
            )
        if self.task == REGRESSION:
            return cells.astype(numpy.float64)
        if cells.dtype == numpy.float64:
            return self._whole(cells)
        return cells.astype(bool) if kind_of(self.type) == "boolean" else cells

    def _whole(self, cells: Any) -> Any:
        """Return classes that are stored as floating-point numbers.

        Raises: WorkFailed for fractions.
        """
        import numpy

        broken = cells != numpy.floor(cells)
        if broken.any():
            raise unfit(
                self.name,
                f"has fractions ({cells[broken][0]}), which cannot be classes. "
                "Choose task regression, or convert it to classes in a pipeline",
            )
        return cells.astype(numpy.int64)


def unfit(name: str, what: str) -> WorkFailed:
    """Return the failure of a target that cannot be learned. `what`: predicate of the sentence."""
    return WorkFailed(FailureReason.INVALID_INPUT, f"The target {name} {what}.", column=name)


def chosen_task(parameters: TrainingParameters) -> str:
    """Return the task that the job sets or its algorithm implies; empty for Automatic."""
    return str(
        parameters.get("task") or _TASK_OF_ALGORITHM.get(parameters.get("algorithm", ""), "")
    )


def read_target(
    context: WorkloadContext, tables: Tables, table: Table, types: Mapping[str, str]
) -> Target:
    """Return the job's target. Raises: WorkFailed if it is missing or cannot be learned."""
    parameters = training_parameters(context)
    name, task = parameters["target"], chosen_task(parameters)
    if name not in types:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"There is no column {name}: the dataset has {', '.join(list(types)[:20])}.",
            column=name,
        )
    kind = kind_of(types[name])
    if kind is None or kind == "time":
        raise unfit(name, f"is {types[name]}. A target must be numbers, text or true and false")
    if kind == "category":
        return _text_target(
            context, name, types[name], task, text_facts(tables, table, [name])[name]
        )
    task = task or (REGRESSION if kind == "number" else CLASSIFICATION)
    return Target(name, types[name], task, _sql(name, types[name], task))


def _text_target(
    context: WorkloadContext, name: str, column_type: str, task: str, facts: TextFacts
) -> Target:
    """Return a text target, as a number if nearly all of its values are numbers.

    With the task classification it always stays a set of classes. Raises: WorkFailed.
    """
    if task != CLASSIFICATION and facts.is_number:
        message = (
            f"The target {name} is text because of {facts.others.shown()}: "
            f"{facts.numbers:,} of its {facts.values:,} values are numbers."
        )
        dropped = (
            "It is learned as a number; "
            f"rows without a number ({facts.others.count:,}) are not used."
        )
        notice(
            context, f"{message} {dropped} Choose task classification if its values are classes."
        )
        return Target(name, "DOUBLE", REGRESSION, number_sql(name))
    if task == REGRESSION and facts.is_all_numbers:
        notice(
            context,
            f"The target {name} is text, but all of its {facts.values:,} values are numbers. "
            "It is learned as a number.",
        )
        return Target(name, "DOUBLE", REGRESSION, number_sql(name))
    form = None if task == CLASSIFICATION else facts.form()
    if form is not None and (form[0].is_number or task == REGRESSION):
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"The target {describe_form(name, *form)}. "
            "Choose task classification if its values are classes.",
            column=name,
            row=form[1].row,
        )
    if task == REGRESSION:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"{text_target_fault(name)} The first value is {facts.others.shown()}.",
            column=name,
        )
    return Target(name, column_type, CLASSIFICATION, _sql(name, column_type, CLASSIFICATION))


def _sql(name: str, column_type: str, task: str) -> str:
    """Return the SQL of the target: numbers for a regression, else integers, booleans or text."""
    column, kind = identifier(name), kind_of(column_type)
    if kind == "category":
        return f"CAST({column} AS VARCHAR)"
    if task == REGRESSION or (kind == "number" and column_type not in _WHOLE):
        return f"CAST({column} AS DOUBLE)"
    return f"CAST({column} AS BIGINT)" if kind == "number" else column
