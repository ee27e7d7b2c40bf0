"""A model's signature: what it takes and what it gives, and what of a table does not fit it.

    {"features": [{"name", "kind": "number"|"category"|"time"|"boolean", "type": <as DuckDB names it>}],
     "target": {"name", "type"}, "task": "regression"|"classification", "classes"?: [text, …]}

A feature's `kind` decides what fits: any number for a number, any text for a category. Values may be missing everywhere: what the model
does then was fitted with it.
"""

from collections.abc import Iterable
from typing import Any

CLASSES_MAX = 1000
_NUMBERS = frozenset(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"]
)
_WORDS = {"number": "a number", "category": "text", "time": "a date or a time", "boolean": "true or false"}


def kind_of(column_type: str) -> str | None:
    """The kind of feature a column of a DuckDB type can be; None for one that no model of ours can use."""
    if column_type in _NUMBERS or column_type.startswith("DECIMAL"):
        return "number"
    if column_type == "BOOLEAN":
        return "boolean"
    if column_type == "VARCHAR" or column_type.startswith("ENUM"):
        return "category"
    if column_type == "DATE" or column_type.startswith("TIMESTAMP"):
        return "time"
    return None


def signature_faults(signature: dict[str, Any], schema: Iterable[dict[str, Any]]) -> list[str]:
    """What of a table with `schema` [{"name", "type"}] does not fit; one sentence for each column, empty when it fits."""
    there = {column["name"]: column["type"] for column in schema}
    faults = []
    for feature in signature["features"]:
        name, kind = feature["name"], feature["kind"]
        found = there.get(name)
        if found is None:
            like = next((other for other in there if other.casefold().strip() == name.casefold().strip()), None)
            faults.append(f"column {name} is missing" + (f" (there is {like})" if like else ""))
        elif kind_of(found) != kind:
            faults.append(f"column {name} is {found}, and the model was trained on {_WORDS[kind]} ({feature['type']})")
    return faults


def prediction_columns(signature: dict[str, Any]) -> list[str]:
    """The columns that a prediction adds: `prediction`, and `probability_<class>` for each class."""
    return ["prediction", *(f"probability_{name}" for name in signature.get("classes", []))]
