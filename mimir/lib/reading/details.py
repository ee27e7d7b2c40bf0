"""Choice of the columns for each kind of warning about cells and types."""

from collections.abc import Sequence
from typing import Any

from mimir.lib.reading import rules
from mimir.lib.reading.ask import asker
from mimir.lib.reading.cells import Cells
from mimir.lib.reading.columnqueries import ColumnQueries, TypedColumn
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.plan import Planned
from mimir.lib.reading.textwarnings import warn_texts
from mimir.lib.reading.typedwarnings import (
    warn_bad_cells,
    warn_converted,
    warn_missing,
    warn_rounded,
)
from mimir.lib.reading.unixtimes import is_unix, names_a_time
from mimir.lib.reading.unixwarnings import warn_possible_unix_times, warn_unix_times

COLUMNS_DETAILED = 200  # maximum for each kind of warning: each column needs a query
_SILENT = (rules.BIGINT, rules.DOUBLE, rules.BOOLEAN, *rules.ISO_RULES)


def add_column_warnings(
    connection: Any, cells: Cells, planned: Sequence[Planned], options: ReadOptions
) -> None:
    """Query the cells and add the warnings to `cells`, column by column.

    Raises: NotATable for cells that do not fit a chosen type.
    """
    columns = [(plan, plan.typed) for plan in planned if plan.typed is not None]
    texts = [typed for _, typed in columns]
    with asker(connection, cells.relation, texts, cells.row_count) as opened:
        _add(ColumnQueries(connection, cells, opened), columns, options)


def _add(queries: ColumnQueries, columns: list[TypedColumn], options: ReadOptions) -> None:
    for plan, _ in columns:
        if plan.empty:
            queries.warn("no_values", column=plan.name)
    filled = [column for column in columns if not column[0].empty]
    chosen = [column for column in filled if column[0].wanted]
    typed = [column for column in filled if column[1].rule is not None]
    for column in [column for column in chosen if column[1].rule is None][:COLUMNS_DETAILED]:
        warn_bad_cells(queries, column, options)
    for column in [column for column in typed if column[1].missing_cells][:COLUMNS_DETAILED]:
        warn_missing(queries, column)
    for column in [column for column in typed if _is_converted(column)][:COLUMNS_DETAILED]:
        warn_converted(queries, column)
    for column in chosen[:COLUMNS_DETAILED]:
        warn_unix_times(queries, column)
    numbers = [column for column in typed if _may_be_unix_times(column)]
    warn_possible_unix_times(queries, numbers[:COLUMNS_DETAILED])
    warn_rounded(queries, [column for column in typed if column[0].type == "DOUBLE"])
    warn_texts(queries, _inferred_as_text(filled, options), COLUMNS_DETAILED)


def _is_converted(column: TypedColumn) -> bool:
    """Whether the values differ from the text of the cells in more than the type."""
    return column[1].rule not in _SILENT and not is_unix(column[1].rule)


def _may_be_unix_times(column: TypedColumn) -> bool:
    plan, typed = column
    return typed.rule is rules.BIGINT and not plan.wanted and names_a_time(plan.name)


def _inferred_as_text(columns: list[TypedColumn], options: ReadOptions) -> list[TypedColumn]:
    """Return the text columns whose type the user did not choose."""
    return [
        (plan, typed)
        for plan, typed in columns
        if typed.rule is None and not plan.wanted and plan.name not in options.types
    ]
