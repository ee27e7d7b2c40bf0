"""Training data that cannot be used is refused with a message."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.contract import FailureReason
from jobs.worker.workload_context import WorkFailed
from tests.worker.learning import train

pytestmark = pytest.mark.timeout(120)


N = 40
BAD: dict[str, tuple[dict[str, list[Any]], dict[str, Any], str]] = {
    "one class": ({"x": list(range(N)), "y": ["a"] * N}, {}, "has only one class (a) in 40 rows"),
    "one number": ({"x": list(range(N)), "y": [2.5] * N}, {}, "is 2.5 in all of 40 rows"),
    "a class with one row, and one other": (
        {"x": list(range(N)), "y": ["a"] * (N - 1) + ["b"]},
        {},
        "classes with only one row (b), 2 % of the rows",
    ),
    "a class with one row, refused": (
        {"x": list(range(N)), "y": ["a", "b"] * 19 + ["a", "c"]},
        {"rare_classes": "refuse"},
        "has classes with only one row (c), 2 % of the rows. "
        "Each class needs two rows, one for training and one for evaluation. Choose rare_classes "
        "drop or group",
    ),
    "many classes with one row": (
        {"x": list(range(N)), "y": ["a", "b"] * 15 + [f"c{number}" for number in range(10)]},
        {},
        "and 5 more), 25 %",
    ),
    "text for a regression": (
        {"x": list(range(N)), "y": ["a", "b"] * 20},
        {"task": "regression"},
        '"y" is text. Regression needs a numeric target.',
    ),
    "thousands separators": (
        {"x": list(range(N)), "y": [f"{1000 * number:,}" for number in range(N)]},
        {},
        "The target y holds numbers with thousands separators ('1,000' in row 2) as text: import "
        "the file again",
    ),
    "a decimal comma": (
        {"x": list(range(N)), "y": [f"{number},5" for number in range(N)]},
        {},
        "numbers with a decimal comma ('0,5' in row 1)",
    ),
    "dates with month names": (
        {
            "x": [f"Jan {1 + number % 28} {2000 + number}" for number in range(N)],
            "y": list(range(N)),
        },
        {},
        "x is text that differs in nearly every row (x holds dates with month names ('Jan 1 2000' "
        "in row 1) as text",
    ),
    "times with slashes": (
        {
            "x": [f"2024/01/{1 + number % 28:02} 10:{number:02}" for number in range(N)],
            "y": list(range(N)),
        },
        {},
        "(x holds dates ('2024/01/01 10:00' in row 1) as text: import the file again with that "
        "notation, or convert it in a pipeline",
    ),
    "a time as the target": (
        {"x": list(range(N)), "y": pa.array(range(N), pa.timestamp("ns", "UTC"))},
        {},
        "is TIMESTAMPTZ_NS. A target must be",
    ),
    "too few rows": ({"x": [1, 2, 3], "y": [1.0, 2.0, 3.0]}, {}, "at least 10 are required"),
    "no target at all": (
        {"x": list(range(N)), "y": pa.array([None] * N, pa.float64())},
        {},
        "0 rows have a value of the target y",
    ),
    "an infinite feature": (
        {"x": [1.0] * (N - 1) + [float("inf")], "y": list(range(N))},
        {},
        "Column x is inf in row 40",
    ),
    "an infinite target": (
        {"x": list(range(N)), "y": [1.0] * (N - 1) + [float("-inf")]},
        {},
        "infinite in 1 rows",
    ),
    "fractions as classes": (
        {"x": list(range(N)), "y": [0.5, 1.0] * 20},
        {"task": "classification"},
        "has fractions (0.5)",
    ),
    "no feature is left": (
        {"x": [1] * N, "y": list(range(N))},
        {},
        "No feature is left. x has one value only",
    ),
    "too many classes": (
        {"x": [1, 2] * 1100, "y": [f"c{number // 2}" for number in range(2200)]},
        {},
        "has 1100 classes",
    ),
    "an empty feature": (
        {"x": pa.array([None] * N, pa.float64()), "y": list(range(N))},
        {"features": ["x"]},
        "No feature has a value",
    ),
    "no rows": (
        {"x": pa.array([], pa.int64()), "y": pa.array([], pa.int64())},
        {"features": ["x"]},
        "no rows",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_an_unusable_target_is_refused_with_a_message(what: str, tmp_path: Path) -> None:
    columns, parameters, message = BAD[what]
    with pytest.raises(WorkFailed) as caught:
        train(tmp_path, pa.table(columns), target="y", **parameters)
    assert caught.value.reason is FailureReason.INVALID_INPUT
    assert message in caught.value.message
