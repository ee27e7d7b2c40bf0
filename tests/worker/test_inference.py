"""Inference: the same predictions as the model itself, and clear errors for a bad model file."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from jobs.contract import EventKind, FailureReason
from jobs.worker.modelfile import TRUSTED_TYPES, load_model
from jobs.worker.workload_context import WorkFailed
from tests.worker.learning import infer, train

pytestmark = pytest.mark.timeout(120)
MIB = 2**20


def _rows(count: int = 200) -> pa.Table:
    random = np.random.default_rng(1)
    size = random.normal(0, 1, count)
    town = [["Oslo", "Bergen", None][number % 3] for number in range(count)]
    return pa.table(
        {
            "id": [f"r{number}" for number in range(count)],
            "size": size,
            "town": town,
            "big": size > 0.3,
            "price": size * 2 + 1,
            "grade": [5 if value > 0 else 3 for value in size],
            "colour": ["red" if value > 0.5 else "blue" for value in size],
        }
    )


@pytest.mark.parametrize("algorithm", ["logistic", "random_forest", "hist_gradient_boosting"])
def test_classes_come_with_their_probabilities(algorithm: str, tmp_path: Path) -> None:
    table = _rows()
    small = {"n_estimators": 10} if algorithm == "random_forest" else {}
    trained, report = train(
        tmp_path / "t",
        table,
        target="colour",
        features=["size", "town"],
        algorithm=algorithm,
        hyperparameters=small,
    )
    context, output, created = infer(
        tmp_path / "i", table, trained.delivered["model.skops"], report["signature"], keys=["id"]
    )
    assert created.column_names == ["id", "prediction", "probability_blue", "probability_red"]
    assert output["row_count"] == created.num_rows == 200
    assert [column["type"] for column in output["schema"]] == [
        "VARCHAR",
        "VARCHAR",
        "DOUBLE",
        "DOUBLE",
    ]

    model = skops.io.load(trained.delivered["model.skops"], trusted=list(TRUSTED_TYPES))
    frame = table.select(["size", "town"]).to_pandas()
    frame["town"] = frame["town"].astype(object).where(frame["town"].notna(), np.nan)
    assert created["prediction"].to_pylist() == list(model.predict(frame))
    chances = np.column_stack([created["probability_blue"], created["probability_red"]])
    assert chances == pytest.approx(model.predict_proba(frame), abs=1e-12)
    messages = [data["message"] for kind, data in context.events if kind is EventKind.PROGRESS]
    assert [each for each in messages if each.startswith("200 of 200 rows")]
    assert messages[-1] == "Saving 200 predictions"


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [("grade", pa.int64(), ["3", "5"]), ("big", pa.bool_(), ["false", "true"])],
)
def test_a_prediction_is_of_the_targets_own_kind(
    target: str, kind: Any, classes: list[str], tmp_path: Path
) -> None:
    trained, report = train(
        tmp_path / "t",
        _rows(),
        target=target,
        features=["size"],
        task="classification",
        algorithm="logistic",
    )
    assert report["signature"]["classes"] == classes
    _, _, created = infer(
        tmp_path / "i", _rows(), trained.delivered["model.skops"], report["signature"], keys=[]
    )
    assert created.schema.field("prediction").type == kind
    assert created.column_names == ["prediction", *(f"probability_{name}" for name in classes)]


def test_missing_values_and_new_categories_are_predicted_for(tmp_path: Path) -> None:
    for algorithm in ("linear", "hist_gradient_boosting"):
        folder = tmp_path / algorithm
        trained, report = train(
            folder / "t", _rows(), target="price", features=["size", "town"], algorithm=algorithm
        )
        new = pa.table(
            {"size": [None, 0.5, 0.5], "town": ["Oslo", "Atlantis", None], "extra": [1, 2, 3]}
        )
        _, _, created = infer(
            folder / "i", new, trained.delivered["model.skops"], report["signature"]
        )
        assert created.column_names == ["size", "town", "extra", "prediction"]
        assert np.isfinite(created["prediction"].to_numpy()).all()


def test_no_rows_give_no_predictions(tmp_path: Path) -> None:
    trained, report = train(
        tmp_path / "t", _rows(), target="colour", features=["size", "town"], algorithm="logistic"
    )
    _, output, created = infer(
        tmp_path / "i", _rows().slice(0, 0), trained.delivered["model.skops"], report["signature"]
    )
    assert (output["row_count"], created.num_rows) == (0, 0)
    assert created.column_names[-3:] == ["prediction", "probability_blue", "probability_red"]


def test_a_table_that_does_not_fit_is_refused_with_each_difference(tmp_path: Path) -> None:
    trained, report = train(
        tmp_path / "t", _rows(), target="price", features=["size", "town"], algorithm="linear"
    )
    table = pa.table({"Size": [1.0], "town": [4]})
    with pytest.raises(WorkFailed) as caught:
        infer(tmp_path / "i", table, trained.delivered["model.skops"], report["signature"])
    assert caught.value.reason is FailureReason.SIGNATURE_MISMATCH
    assert (
        "column size is missing (there is Size); column town is BIGINT, and the model was "
        "trained on text (VARCHAR)"
    ) in caught.value.message
    assert (
        "none of its values is one of the model's categories (Bergen, Oslo)" in caught.value.message
    )


def test_an_infinite_value_is_named_with_its_row(tmp_path: Path) -> None:
    trained, report = train(
        tmp_path / "t", _rows(), target="price", features=["size"], algorithm="linear"
    )
    with pytest.raises(WorkFailed, match="Column size is -inf in row 3"):
        infer(
            tmp_path / "i",
            pa.table({"size": [1.0, 2.0, float("-inf")]}),
            trained.delivered["model.skops"],
            report["signature"],
        )


def test_a_model_with_another_signature_than_its_row_says_is_refused(tmp_path: Path) -> None:
    trained, report = train(
        tmp_path / "t", _rows(), target="price", features=["size", "town"], algorithm="linear"
    )
    signature = {**report["signature"], "features": report["signature"]["features"][::-1]}
    with pytest.raises(WorkFailed, match="does not match its signature") as caught:
        infer(tmp_path / "i", _rows(), trained.delivered["model.skops"], signature)
    assert caught.value.reason is FailureReason.MODEL_CORRUPT


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _lying() -> bytes:
    """Return a decompression bomb whose directory states a small size."""
    data = _zip({"schema.json": b"0" * (64 * MIB)})
    return data.replace((64 * MIB).to_bytes(4, "little"), (100).to_bytes(4, "little"))


NOT_MODELS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "it is not a zip"),
    "text": (lambda: b"not a model at all", "it is not a zip"),
    "a bomb": (
        lambda: _zip({"schema.json": b"0" * (64 * MIB)}),
        "it is a zip bomb, and was not unpacked",
    ),
    "a bomb that lies": (_lying, "it cannot be read"),
    "another zip": (lambda: _zip({"hello.txt": b"hello"}), "it cannot be read"),
    "a deep schema": (lambda: _zip({"schema.json": b"[" * 100_000}), "it cannot be read"),
    "a schema that is none": (
        lambda: _zip({"schema.json": json.dumps({"x": 1}).encode()}),
        "it cannot be read",
    ),
    "a foreign type": (
        lambda: skops.io.dumps(make_pipeline(FunctionTransformer(_zip), LinearRegression())),
        "it has types that Mimir models do not use (tests.worker.test_inference._zip). It was not "
        "loaded",
    ),
}


@pytest.mark.parametrize("what", NOT_MODELS)
def test_a_file_that_is_not_a_model_is_not_loaded(what: str, tmp_path: Path) -> None:
    content, message = NOT_MODELS[what]
    (tmp_path / "model").write_bytes(content())
    with pytest.raises(WorkFailed) as caught:
        load_model(tmp_path / "model", memory_bytes=2**30)
    assert caught.value.reason is FailureReason.MODEL_CORRUPT
    assert message in caught.value.message
    assert "Train it again" in caught.value.message


def test_more_entries_than_any_model_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.worker.modelfile.ENTRIES_MAX", 3)
    (tmp_path / "model").write_bytes(_zip({f"{number}": b"" for number in range(4)}))
    with pytest.raises(WorkFailed, match="4 entries, and 3 at most"):
        load_model(tmp_path / "model", memory_bytes=2**30)


def test_a_model_larger_than_the_memory_is_out_of_memory(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(_zip({"array.npy": np.random.default_rng(0).bytes(2 * MIB)}))
    with pytest.raises(WorkFailed, match="memory allows 1048576") as caught:
        load_model(tmp_path / "model", memory_bytes=2 * MIB)
    assert caught.value.reason is FailureReason.OUT_OF_MEMORY
