"""Several sheets as one table: a first column with the sheet's name, others joined by name."""

from collections.abc import Callable, Sequence
from typing import Any

from mimir.lib.reading.cells import Part
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.reading.sheet import SheetTable, tagged_of

SHEET_COLUMN = "sheet"
_NAMES_SHOWN = 10


class JoinedSheets:
    """The rows of `tables`, one after another.

    Names that differ only in case are one column, with the first spelling.
    """

    def __init__(self, tables: Sequence[SheetTable]) -> None:
        self._tables = tables
        self.names, self._places = [SHEET_COLUMN], dict[str, int]()
        self.parts: list[Part] = []
        for table in tables:
            for name in table.names:
                if self._places.setdefault(name.casefold(), len(self.names)) == len(self.names):
                    self.names.append(name)
        self.warnings = [notice for table in tables for notice in self._notices(table)]

    @property
    def options(self) -> ReadOptionsBody:
        """Return the detected options that apply to all sheets."""
        found: ReadOptionsBody = {"sheets": [table.name for table in self._tables]}
        starts = {(table.header_row, table.skipped) for table in self._tables}
        if len(starts) == 1:
            found["header_row"], found["skip_rows"] = starts.pop()
        return found

    def _notices(self, table: SheetTable) -> list[Notice]:
        """Return the warnings about a sheet, and about its columns that differ from the others."""
        found = [
            Notice(notice.code, {**notice.params, "of_sheet": table.name})
            for notice in table.warnings
        ]
        for name in table.names:
            stands = self.names[self._places[name.casefold()]]
            if stands != name:
                found.append(
                    Notice("sheet_spelling", {"sheet": table.name, "name": name, "column": stands})
                )
        own = {name.casefold() for name in table.names}
        lacking = [name for name in self.names[1:] if name.casefold() not in own]
        if lacking:
            more = f" and {len(lacking) - _NAMES_SHOWN} more" if len(lacking) > _NAMES_SHOWN else ""
            found.append(
                Notice(
                    "sheet_lacks_columns",
                    {"sheet": table.name, "columns": ", ".join(lacking[:_NAMES_SHOWN]) + more},
                )
            )
        return found

    def write(self, output: Any) -> int:
        """Write the tagged cells of all sheets as CSV and return the number of rows."""
        count = 0
        for table in self._tables:
            count += table.write(output, count, self.parts, self._shaped(table))
        return count

    def _shaped(self, table: SheetTable) -> Callable[[list[str]], list[str]]:
        places = [self._places[name.casefold()] for name in table.names]
        blank = [tagged_of(table.name), *[""] * (len(self.names) - 1)]

        def shaped(cells: list[str]) -> list[str]:
            row = blank.copy()
            for place, cell in zip(places, cells, strict=True):
                row[place] = cell
            return row

        return shaped
