"""What fits a model's signature, and the exact difference where it does not."""

import pytest

from mimir.lib.schemas.signature import kind_of, prediction_columns, signature_faults

SIGNATURE = {
    "features": [
        {"name": "wind", "kind": "number", "type": "DOUBLE"},
        {"name": "sky", "kind": "category", "type": "VARCHAR"},
        {"name": "at", "kind": "time", "type": "DATE"},
        {"name": "dry", "kind": "boolean", "type": "BOOLEAN"},
    ],
    "classes": ["a", "b"],
}
FITS = [("at", "TIMESTAMP WITH TIME ZONE"), ("dry", "BOOLEAN"), ("sky", "ENUM('x')"), ("wind", "DECIMAL(18,3)"), ("more", "BLOB")]


def _schema(columns: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in columns]


def test_other_columns_another_order_and_other_number_types_fit() -> None:
    assert signature_faults(SIGNATURE, _schema(FITS)) == []


@pytest.mark.parametrize(
    ("columns", "faults"),
    [
        (FITS[1:], ["column at is missing"]),
        ([("AT", "DATE"), *FITS[1:]], ["column at is missing (there is AT)"]),
        ([*FITS[:3], ("wind", "VARCHAR")], ["column wind is VARCHAR, and the model was trained on a number (DOUBLE)"]),
        ([("sky", "BIGINT"), ("wind", "BLOB"), *FITS[:2]], [
            "column wind is BLOB, and the model was trained on a number (DOUBLE)",
            "column sky is BIGINT, and the model was trained on text (VARCHAR)",
        ]),
    ],
)
def test_each_difference_is_a_sentence(columns: list[tuple[str, str]], faults: list[str]) -> None:
    assert signature_faults(SIGNATURE, _schema(columns)) == faults


def test_a_prediction_adds_one_column_and_one_for_each_class() -> None:
    assert prediction_columns(SIGNATURE) == ["prediction", "probability_a", "probability_b"]
    assert prediction_columns({"features": []}) == ["prediction"]


@pytest.mark.parametrize("column_type", ["BLOB", "INTEGER[]", "STRUCT(a INTEGER)", "TIME", "UUID", "INTERVAL", "BIT"])
def test_a_column_that_no_model_can_use_has_no_kind(column_type: str) -> None:
    assert kind_of(column_type) is None
