"""Workbook sheets in the import form: selection, target datasets, shown preview. Pure.

Fields name a sheet by its position, because a sheet name can hold any character.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.http import QueryDict

from mimir.frontend import formatting
from mimir.frontend.api_types.upload_shapes import Sheet, StagedUpload
from mimir.frontend.forms import Field
from mimir.frontend.template_context import Context

EACH, ONE = "each", "one"  # how several sheets are imported
SHOWN_MAX = 100  # sheets in the form; the API accepts any number
_MODES = ((EACH, "one dataset for each sheet"), (ONE, "one dataset, sheet name as a column"))
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Target:
    """Selected sheet and its dataset name: as typed, or proposed."""

    place: int
    sheet: str
    field: Field
    current: bool  # whether its preview is shown


@dataclass(slots=True)
class Sheets:
    """Sheets of a staged upload and the user's choices."""

    known: Sequence[Sheet]
    chosen: list[int]
    mode: str = EACH
    shown: int = -1  # the sheet whose preview is shown
    typed: Mapping[str, str] = field(default_factory=dict)  # dataset names by field
    errors: Mapping[str, str] = field(default_factory=dict)  # by field
    automatic: bool = False  # no choice made: the first sheet with cells is read

    @property
    def each(self) -> bool:
        """Whether each selected sheet becomes its own dataset."""
        return self.mode == EACH and len(self.chosen) > 1

    @property
    def modes(self) -> list[tuple[str, str, bool]]:
        """Choices of the field "Several sheets"."""
        return [(value, label, value == self.mode) for value, label in _MODES]

    @property
    def rows(self) -> list[Context]:
        """Each sheet with its size and whether it is selected."""
        return [
            {
                "place": place,
                "name": formatting.visible(sheet["name"]),
                "size": f"{_count(sheet['rows'], 'row')}, {_count(sheet['columns'], 'column')}"
                if sheet["rows"]
                else "no cells",
                "hidden": sheet["hidden"],
                "empty": not sheet["rows"],
                "chosen": place in self.chosen,
            }
            for place, sheet in enumerate(self.known)
            if place < SHOWN_MAX or place in self.chosen
        ]

    @property
    def omitted(self) -> int:
        """Number of sheets that the form does not show."""
        return len(self.known) - len(self.rows)

    @property
    def targets(self) -> list[Target]:
        """Selected sheets with dataset names; empty unless each becomes its own dataset."""
        if not self.each:
            return []
        found: list[Target] = []
        for place in self.chosen:
            sheet, name = self.known[place]["name"], f"dataset-{place}"
            value = self.typed.get(name)
            if value is None:
                value = _proposed(sheet, place, [target.field.value for target in found])
            found.append(
                Target(
                    place,
                    formatting.visible(sheet),
                    Field(name, value, self.errors.get(name, "")),
                    place == self.shown,
                )
            )
        return found

    @property
    def title(self) -> str:
        """Sheet whose preview is shown, if the workbook has several."""
        one = self.each or (len(self.known) > 1 and len(self.chosen) == 1)
        return formatting.visible(self.known[self.shown]["name"]) if one else ""

    def options(self) -> Context:
        """Return the reading options: all selected sheets as one dataset, else the shown sheet.

        Empty without a selection, or if the user left it automatic.
        """
        names = [self.known[place]["name"] for place in self.chosen]
        if self.automatic or not names:
            return {}
        if len(names) > 1 and self.mode == ONE:
            return {"sheets": names}
        return {"sheet": self.known[self.shown]["name"]}

    def datasets(self) -> list[dict[str, str]]:
        """List the target datasets of the selected sheets, for the request body."""
        return [
            {"sheet": self.known[target.place]["name"], "name": target.field.value.strip()}
            for target in self.targets
        ]


def sheets_of(upload: StagedUpload, posted: QueryDict | None = None) -> Sheets:
    """Read the choices from the posted form; without one, from the upload's options."""
    known = upload.get("sheets", [])
    given, found = upload["options"], upload["reading"]["options"] if upload["reading"] else {}
    places = {sheet["name"]: place for place, sheet in reversed(list(enumerate(known)))}
    chosen_names = given.get("sheets") or [given.get("sheet") or found.get("sheet", "")]
    read = [places[name] for name in chosen_names if name in places]
    if posted is None or "sheets_known" not in posted:
        mode = ONE if given.get("sheets") else EACH
        return Sheets(
            known,
            read,
            mode,
            read[0] if read else -1,
            automatic=not (given.get("sheet") or given.get("sheets")),
        )
    chosen = [
        place
        for place in range(len(known))
        if str(place) in posted.getlist("sheets") and known[place]["rows"]
    ]
    shown = next(
        (
            int(value)
            for value in (posted.get("tab", ""), posted.get("shown", ""))
            if value in map(str, chosen)
        ),
        chosen[0] if chosen else -1,
    )
    typed = {name: str(value) for name, value in posted.items() if name.startswith("dataset-")}
    mode = ONE if posted.get("several") == ONE else EACH
    automatic = not (given.get("sheet") or given.get("sheets")) and chosen == read
    return Sheets(known, chosen, mode, shown, typed, automatic=automatic)


def _count(number: int, word: str) -> str:
    return f"{formatting.number(number)} {word}{'' if number == 1 else 's'}"


def _proposed(sheet: str, place: int, taken: Sequence[str]) -> str:
    """Propose a dataset name similar to the sheet's."""
    plain = unicodedata.normalize("NFKD", sheet).encode("ascii", "ignore").decode().lower()
    name = _NOT_IN_NAMES.sub("-", plain)[:NAME_CHARACTERS].strip("-._") or f"sheet-{place + 1}"
    return f"{name}-{place + 1}" if name in taken else name
