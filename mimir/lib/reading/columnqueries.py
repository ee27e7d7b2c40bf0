"""Queries about the text cells of planned columns, and the warnings built from their results."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.ask import Asker, StackedAsker, TextColumn, askers
from mimir.lib.reading.cells import Cells
from mimir.lib.reading.messages import Notice, shown
from mimir.lib.reading.plan import Planned

CELLS_SHOWN = 3
TypedColumn = tuple[Planned, TextColumn]
Condition = Callable[[str], str]  # from SQL for the text of a cell to a condition in SQL
Example = tuple[str, int, int]  # text, number of cells, first row


class ColumnQueries:
    """Queries over one file's cells. `warn` adds warnings to `cells`.

    `asker` must be open for all columns that are queried.
    """

    def __init__(self, connection: Any, cells: Cells, asker: Asker) -> None:
        self._connection, self._cells, self._asker = connection, cells, asker

    @property
    def warning_count(self) -> int:
        """Return the number of warnings so far."""
        return len(self._cells.warnings)

    def warn(self, code: str, **params: Any) -> None:
        """Add a warning."""
        self._cells.warnings.append(Notice(code, params))

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return run_sql(self._connection, sql)

    def place(self, typed: TextColumn) -> tuple[str, str]:
        """Return a FROM clause with the cells of a column, and SQL for the text of a cell."""
        return self._asker.place(typed)

    def row_label(self, row: int) -> str:
        """Return the name of a row for users."""
        return self._cells.row_label(row)

    def examples(
        self, typed: TextColumn, condition: Condition, limit: int = CELLS_SHOWN
    ) -> list[Example]:
        """Return at most `limit` distinct texts that match a condition, in order of first row."""
        origin, text = self.place(typed)
        return self.run(
            f"SELECT value, count(*), min(place) + 1 FROM (SELECT {text} AS value, "
            f"file_row_number AS place FROM {origin} "
            f"WHERE {condition(text)}) GROUP BY value ORDER BY 3 LIMIT {limit}"
        )

    def examples_text(self, examples: Sequence[Example]) -> str:
        """Return examples with their rows, as text for users."""
        places = ((shown(text), count - 1, self.row_label(row)) for text, count, row in examples)
        return ", ".join(
            f"{text} in {place}" + (f" and {others} more" if others else "")
            for text, others, place in places
        )

    def counted(
        self,
        columns: Sequence[TypedColumn],
        conditions: Callable[[TextColumn, str], Sequence[str]],
        *,
        limit: int = 0,
    ) -> Iterator[tuple[TypedColumn, tuple[int, ...]]]:
        """Return each column with its number of cells for each condition.

        `limit`: count only in this number of first rows; 0: in all rows.
        """
        found: list[tuple[int, ...]] = []
        for asker, group in self._groups([typed for _, typed in columns]):
            found += asker.counts(
                group, lambda typed, text, _missing: conditions(typed, text), limit=limit
            )
        return zip(columns, found, strict=True)

    def _groups(
        self, columns: Sequence[TextColumn]
    ) -> Iterator[tuple[Asker, Sequence[TextColumn]]]:
        if isinstance(self._asker, StackedAsker):
            return iter([(self._asker, columns)])
        return askers(self._connection, self._cells.relation, columns, self._cells.row_count)
