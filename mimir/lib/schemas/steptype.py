"""`StepType`: everything the product knows about one type of pipeline step, as data. Pure.

Forms, help, the API and the checks of a definition read it. The fields of a step (`with`) are one
JSON Schema. The `format` of a field says what it refers to:

- `dataset`: a dataset of the project; `x-access` is `read` or `write`
- `version`: the number of the version of that dataset
- `table`: the name of a table that another step makes
- `sql`: one SELECT over tables that other steps make
- `new-tables`: the names of the tables that the step makes
- `argv`: a program and its arguments
- `uri`: an address outside the project
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.schema_types import JsonSchema

TABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}\Z"
TABLE_RULE = "1 to 63 letters, digits and underscores, not beginning with a digit"

Options = Mapping[str, Any]  # the `with` of a step, as the user wrote it
OptionsCheck = Callable[[Options, str], Iterator[FieldError]]


class Makes(StrEnum):
    """The tables that a step makes."""

    STEP_TABLE = "step_table"  # one table, named by the step's id
    DECLARED = "declared"  # the tables in the field with format `new-tables`
    NOTHING = "nothing"


class Columns(StrEnum):
    """Where the columns of a step's tables come from, for the check of a definition."""

    DATASET = "dataset"  # the dataset version that the step reads
    QUERY = "query"  # its SQL, bound to the columns of its tables
    SOURCE = "source"  # the same as those of the first table that it reads
    RUN = "run"  # known only in a run


def _no_further_rules(options: Options, path: str) -> Iterator[FieldError]:
    return iter(())


@dataclass(frozen=True, slots=True)
class StepType:
    """One type of step.

    `fields`: the JSON Schema of `with`. `check`: rules that the schema cannot state, called only
    for options that fit the schema. `after_all`: without `needs`, the step depends on every step
    before it. `unchecked`: message of the check of a definition for a step that only a run
    can check. `position` orders the types in help and messages.
    """

    name: str
    title: str
    help: str
    position: int
    fields: JsonSchema
    example: JsonObject
    makes: Makes
    columns: Columns
    check: OptionsCheck = _no_further_rules
    after_all: bool = False
    unchecked: str = ""

    @property
    def properties(self) -> dict[str, JsonSchema]:
        """The schema of each field, by name."""
        return self.fields["properties"]

    def names(self, format_name: str, **keywords: str) -> tuple[str, ...]:
        """Names of the fields with this `format` and these further keywords."""
        return tuple(
            name
            for name, schema in self.properties.items()
            if schema.get("format") == format_name
            and all(schema.get(keyword) == value for keyword, value in keywords.items())
        )

    def dataset_field(self, access: str) -> str | None:
        """The field that names a dataset to `read` or to `write`; None for a type without one."""
        return next(iter(self.names("dataset", **{"x-access": access})), None)

    def output_tables(self, step_id: str, options: Options) -> tuple[str, ...]:
        """Return the names of the tables that a step with these options creates."""
        if self.makes is Makes.STEP_TABLE:
            return (step_id,)
        return tuple(table for name in self.names("new-tables") for table in options.get(name, ()))


def fields(properties: dict[str, JsonSchema], *, required: tuple[str, ...] = ()) -> JsonSchema:
    """The JSON Schema of a step's `with`: these properties and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }
