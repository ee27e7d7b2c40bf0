"""Signatures of models: their features and target, and checks of tables against them.

`ModelSignature` is the JSON that a training stores with its model. A feature's `kind` decides what
fits: any number for a number, any text for a category. If a column has another type, its values
decide: a type often depends on the rows of one file. Values can be missing everywhere: the model
handles them as in its training.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from mimir.lib.table_shapes import ColumnType

CLASSES_MAX = 1000
_NUMBERS = frozenset(
    [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "FLOAT",
        "DOUBLE",
    ]
)
_ANYTHING = frozenset(
    ['"NULL"', "JSON", "VARCHAR", "UUID"]
)  # column types for which the values decide
_VALUES_OF_KIND = {
    "number": "a number",
    "category": "text",
    "time": "a date or a time",
    "boolean": "true or false",
}


class SignatureFeature(TypedDict):
    """Feature of a model. `kind`: number, category, time or boolean; `type`: as DuckDB names it."""

    name: str
    kind: str
    type: str


class ModelSignature(TypedDict):
    """Columns that a model was trained on. `task`: regression or classification.

    `classes`: their texts in the model's order; absent for a regression.
    """

    features: list[SignatureFeature]
    target: ColumnType
    task: str
    classes: NotRequired[list[str]]


def kind_of(column_type: str) -> str | None:
    """Return the kind of feature for a DuckDB type; None for an unsupported type."""
    if column_type in _NUMBERS or column_type.startswith("DECIMAL"):
        return "number"
    if column_type == "BOOLEAN":
        return "boolean"
    if column_type == "VARCHAR" or column_type.startswith("ENUM"):
        return "category"
    if column_type == "DATE" or column_type.startswith("TIMESTAMP"):
        return "time"
    return None


def may_fit(kind: str, column_type: str) -> bool:
    """Return whether values of this type can fit a feature of `kind`.

    A column without values fits every feature.
    """
    return kind_of(column_type) is not None or column_type in _ANYTHING


def mismatch(name: str, found: str, feature: SignatureFeature) -> str:
    """Return the message for a column that does not fit its feature.

    `found`: `is BLOB`, or `holds 'x' in row 3`.
    """
    trained_on = f"{_VALUES_OF_KIND[feature['kind']]} ({feature['type']})"
    return f"column {name} {found}, and the model was trained on {trained_on}"


def absent(signature: ModelSignature, columns: Iterable[str]) -> list[str]:
    """Return the features that a table with these columns lacks."""
    there = set(columns)
    return [feature["name"] for feature in signature["features"] if feature["name"] not in there]


def signature_faults(
    signature: ModelSignature,
    schema: Iterable[ColumnType],
    *,
    empty: Iterable[str] = (),
    absent_is_empty: bool = False,
) -> list[str]:
    """Return one message for each column of a table that cannot fit the model.

    `schema`: [{"name", "type"}]. Other columns are checked when their values are read: text can
    hold numbers, and a column can be empty. `empty`: columns without values. `absent_is_empty`: a
    feature without a column counts as a column without values, unless a column has a similar name.
    """
    there = {column["name"]: column["type"] for column in schema}
    without_value = set(empty)
    faults = []
    for feature in signature["features"]:
        name, kind = feature["name"], feature["kind"]
        found = there.get(name)
        if found is None:
            like = next(
                (other for other in there if other.casefold().strip() == name.casefold().strip()),
                None,
            )
            if like or not absent_is_empty:
                faults.append(f"column {name} is missing" + (f" (there is {like})" if like else ""))
        elif name not in without_value and not may_fit(kind, found):
            faults.append(mismatch(name, f"is {found}", feature))
    if absent_is_empty and not any(feature["name"] in there for feature in signature["features"]):
        names = ", ".join(feature["name"] for feature in signature["features"][:20])
        faults.append(f"none of the model's features is a column: {names}")
    return faults


def may_lack_columns(missing_columns: str | None, format_name: str) -> bool:
    """Return whether a prediction treats an absent feature as one without values.

    `missing_columns` is the job's parameter. None: only for JSON, where keys can be absent.
    """
    return missing_columns == "empty" or (
        missing_columns is None and format_name.startswith("json")
    )


def text_target_fault(name: str) -> str:
    """Return why a text column cannot be the target of a regression."""
    return (
        f'"{name}" is text. Regression needs a numeric target.'
        " Choose task classification, or another target."
    )


def prediction_columns(signature: ModelSignature) -> list[str]:
    """Return the columns that a prediction adds: `prediction`, `probability_<class>`."""
    return ["prediction", *(f"probability_{name}" for name in signature.get("classes", []))]
