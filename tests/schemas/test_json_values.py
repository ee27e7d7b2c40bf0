"""JSON values: what is a number, and text that PostgreSQL can store."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimir.lib.json_values import is_finite_number, is_number, is_storable, storable


@pytest.mark.parametrize(
    ("value", "number", "finite"),
    [(1, True, True), (1.5, True, True), (True, False, False), ("1", False, False)]
    + [(None, False, False), (math.nan, True, False), (math.inf, True, False)],
)
def test_a_number_is_not_a_boolean(value: object, number: bool, finite: bool) -> None:
    assert (is_number(value), is_finite_number(value)) == (number, finite)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffd\ufffd\ufffdb"),
        ({"k\x00": [1, math.nan, ("x",)]}, {"k\ufffd": [1, None, ["x"]]}),
        (True, True),
    ],
)
def test_characters_that_cannot_be_stored_are_replaced(value: Any, stored: Any) -> None:
    assert storable(value) == stored


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20))
def test_a_repaired_text_is_storable(text: str) -> None:
    assert is_storable(storable(text))
    assert not is_storable(text) or storable(text) == text
