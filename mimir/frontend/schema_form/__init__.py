"""Forms from a JSON schema, and typed texts back to JSON. Pure.

The name of a field is the path of its value (`parameters.hyperparameters.max_depth`), so an API
error for a path appears at its field, and the form's state is one table of typed texts by path.
Reading omits a field that was not shown, is empty or holds its default. Text that does not fit
stays text, and the API explains the error.

- `shapes`: fields, choices and offers
- `typed_values`: texts to JSON and back
- `build`: fields of a schema
- `overview`: find and summarize fields
"""

from mimir.frontend.schema_form.build import FIRST, PICKED_MAX, RADIOS_MAX, fields
from mimir.frontend.schema_form.overview import field_at, names_of, summary
from mimir.frontend.schema_form.shapes import LINES, Choice, Field, Kind, Offers, Schema, Texts
from mimir.frontend.schema_form.typed_values import (
    OMITTED,
    given,
    number_errors,
    read,
    texts_of,
    typed,
)

__all__ = [
    "FIRST",
    "LINES",
    "OMITTED",
    "PICKED_MAX",
    "RADIOS_MAX",
    "Choice",
    "Field",
    "Kind",
    "Offers",
    "Schema",
    "Texts",
    "field_at",
    "fields",
    "given",
    "names_of",
    "number_errors",
    "read",
    "summary",
    "texts_of",
    "typed",
]
