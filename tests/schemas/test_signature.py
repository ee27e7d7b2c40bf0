"""Signature check of a model: accepted data, and the exact difference otherwise."""

import pytest

from mimir.lib.schemas.signature import (
    ModelSignature,
    kind_of,
    may_lack_columns,
    prediction_columns,
    signature_faults,
)
from mimir.lib.table_shapes import ColumnType

SIGNATURE: ModelSignature = {
    "features": [
        {"name": "wind", "kind": "number", "type": "DOUBLE"},
        {"name": "sky", "kind": "category", "type": "VARCHAR"},
        {"name": "at", "kind": "time", "type": "DATE"},
        {"name": "dry", "kind": "boolean", "type": "BOOLEAN"},
    ],
    "target": {"name": "mood", "type": "VARCHAR"},
    "task": "classification",
    "classes": ["a", "b"],
}
FITS = [
    ("at", "TIMESTAMP WITH TIME ZONE"),
    ("dry", "BOOLEAN"),
    ("sky", "ENUM('x')"),
    ("wind", "DECIMAL(18,3)"),
    ("more", "BLOB"),
]


def _schema(columns: list[tuple[str, str]]) -> list[ColumnType]:
    return [{"name": name, "type": kind} for name, kind in columns]


def test_other_columns_another_order_and_other_number_types_are_accepted() -> None:
    assert signature_faults(SIGNATURE, _schema(FITS)) == []


@pytest.mark.parametrize(
    ("columns", "faults"),
    [
        (FITS[1:], ["column at is missing"]),
        ([("AT", "DATE"), *FITS[1:]], ["column at is missing (there is AT)"]),
        (
            [("sky", "INTERVAL"), ("wind", "BLOB"), *FITS[:2]],
            [
                "column wind is BLOB, and the model was trained on a number (DOUBLE)",
                "column sky is INTERVAL, and the model was trained on text (VARCHAR)",
            ],
        ),
        ([*FITS[:3], ("wind", "VARCHAR")], []),  # depends on its values
        ([("sky", "BIGINT"), ("wind", "JSON"), ("at", '"NULL"'), ("dry", "TIMESTAMPTZ_NS")], []),
    ],
)
def test_each_difference_is_a_sentence(columns: list[tuple[str, str]], faults: list[str]) -> None:
    assert signature_faults(SIGNATURE, _schema(columns)) == faults


def test_columns_known_to_be_empty_are_accepted_and_absent_ones_if_allowed() -> None:
    columns = _schema([("wind", "INTEGER[]"), ("sky", "VARCHAR")])
    assert signature_faults(SIGNATURE, columns, empty=["wind"], absent_is_empty=True) == []
    assert signature_faults(SIGNATURE, columns, absent_is_empty=True) == [
        "column wind is INTEGER[], and the model was trained on a number (DOUBLE)"
    ]
    assert signature_faults(
        SIGNATURE, _schema([("SKY", "VARCHAR"), ("wind", "DOUBLE")]), absent_is_empty=True
    ) == ["column sky is missing (there is SKY)"]
    assert (
        "none of the model's features is a column"
        in signature_faults(SIGNATURE, _schema([("x", "DOUBLE")]), absent_is_empty=True)[0]
    )


@pytest.mark.parametrize(
    ("missing_columns", "format_name", "allowed"),
    [
        (None, "csv", False),
        (None, "jsonl", True),
        ("empty", "csv", True),
        ("refuse", "jsonl", False),
    ],
)
def test_columns_can_be_absent_in_json_or_if_the_job_allows_it(
    missing_columns: str | None, format_name: str, allowed: bool
) -> None:  # noqa: FBT001
    assert may_lack_columns(missing_columns, format_name) is allowed


def test_a_prediction_adds_one_column_and_one_for_each_class() -> None:
    assert prediction_columns(SIGNATURE) == ["prediction", "probability_a", "probability_b"]
    assert prediction_columns({**SIGNATURE, "classes": []}) == ["prediction"]


@pytest.mark.parametrize(
    "column_type", ["BLOB", "INTEGER[]", "STRUCT(a INTEGER)", "TIME", "UUID", "INTERVAL", "BIT"]
)
def test_a_column_that_no_model_can_use_has_no_kind(column_type: str) -> None:
    assert kind_of(column_type) is None
