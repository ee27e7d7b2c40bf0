"""Column kinds of pandas and hand-written files: used, or excluded with a message."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.contract import FailureReason
from jobs.worker.digital_twin_update import run as update
from jobs.worker.workload_context import WorkFailed
from tests.support.recorded_context import RecordedContext
from tests.worker.column_types import NUMBERS, TIMES, TYPES, N
from tests.worker.learning import infer, train, write_table

pytestmark = pytest.mark.timeout(120)
SLOPE = pa.array([number * 2.0 for number in NUMBERS])


def _gappy(column: pa.Array) -> pa.Array:
    """Return the column with a missing value, if its type can have one."""
    if pa.types.is_null(column.type) or pa.types.is_dictionary(column.type):
        return column
    return pa.concat_arrays([column.slice(0, 59), pa.nulls(1, column.type)])


def test_every_type_is_trained_on_or_excluded_with_a_reason(
    tmp_path: Path,
) -> None:
    table = pa.table({**{name: _gappy(column) for name, (column, _) in TYPES.items()}, "y": SLOPE})
    trained, report = train(tmp_path / "t", table, target="y", algorithm="linear")
    kinds = {feature["name"]: feature["kind"] for feature in report["signature"]["features"]}
    assert {name: kinds.get(name, "") for name in TYPES} == {
        name: kind for name, (_, kind) in TYPES.items()
    }
    for name, (_, kind) in TYPES.items():
        assert kind or f"{name} is " in trained.notices()
    _, output, created = infer(
        tmp_path / "i",
        table.drop_columns(["y"]),
        trained.delivered["model.skops"],
        report["signature"],
    )
    assert created.num_rows == output["row_count"] == N
    assert np.isfinite(created["prediction"].to_numpy()).all()
    assert created.column_names == [*TYPES, "prediction"]


@pytest.mark.parametrize("name", ["timestamp[ns, zone]", "timestamp[ns]"])
def test_a_table_with_such_a_time_alone_is_learned_from(name: str, tmp_path: Path) -> None:
    _, report = train(
        tmp_path, pa.table({"t": TYPES[name][0], "y": SLOPE}), target="y", algorithm="linear"
    )
    assert report["metrics"]["r2"] > 0.999


def _update(folder: Path, columns: dict[str, tuple[pa.Array, str]]) -> list[dict[str, Any]]:
    """Return the changes of a twin update in which each column is a property."""
    wanted = {"number": "number", "time": "datetime", "boolean": "boolean"}
    properties = [
        {"name": f"p{index}", "type": wanted.get(kind, "string")}
        for index, (_, kind) in enumerate(columns.values())
    ]
    definition = {"types": [{"name": "m", "key": {"name": "id"}, "properties": properties}]}
    context = RecordedContext(
        folder,
        type="digital_twin_update",
        parameters={"twin": "t", "dataset": "d", "type": "m", "key": "id"},
    )
    (folder / "base.jsonl").write_text(
        json.dumps({"revision": 0, "definition": definition, "type": "m"}) + "\n"
    )
    context.give(folder / "base.jsonl", name="twin", kind="twin", twin="t")
    table = pa.table(
        {
            "id": [f"k{number:02}" for number in NUMBERS],
            **{f"p{at}": column for at, (column, _) in enumerate(columns.values())},
        }
    )
    schema = write_table(folder / "table.parquet", table)
    facts = {
        "kind": "dataset",
        "dataset": "d",
        "version": 1,
        "format": "parquet",
        "schema": schema,
        "row_count": N,
    }
    context.give(folder / "table.parquet", name="dataset", **facts)
    update.run(context)  # type: ignore[arg-type]
    return [
        json.loads(line) for line in context.delivered["changes.jsonl"].read_text().splitlines()
    ]


def test_every_type_becomes_a_property_of_a_twin(tmp_path: Path) -> None:
    columns = {name: column for name, column in TYPES.items() if name != "binary"}
    changes = _update(tmp_path, columns)
    assert len(changes) == N
    for index, name in enumerate(columns):
        value = changes[1]["set"].get(f"p{index}")
        if name.startswith("timestamp"):
            assert value == "2024-01-01T01:00:00+00:00", name
        elif columns[name][1] == "number":
            assert value == 1, name
        else:
            assert value is not None or name == "null", name


def test_bytes_are_refused_as_a_property_with_their_row(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match="Row 1 of column p0 holds bytes"):
        _update(tmp_path, {"binary": TYPES["binary"]})


def _train_case(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Train a model with features of every kind.

    These are a number, an integer, a category, a Boolean, a time and codes.
    """
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "x": random.normal(size=N),
            "n": pa.array([number % 9 for number in NUMBERS]),
            "c": [["blue", "red"][number % 2] for number in NUMBERS],
            "code": [["5", "7", "A"][number % 3] for number in NUMBERS],
            "word": [["True", "False", "maybe"][number % 3] for number in NUMBERS],
            "flag": [number % 2 == 0 for number in NUMBERS],
            "at": pa.array(TIMES, pa.timestamp("us")),
            "y": random.normal(size=N),
        }
    )
    return train(folder, table, target="y", algorithm="linear")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    return _train_case(tmp_path_factory.mktemp("case"))


ROW: dict[str, Any] = {
    "x": 0.5,
    "n": 3,
    "c": "red",
    "code": "5",
    "word": "True",
    "flag": True,
    "at": dt.datetime(2024, 1, 2),
}
# A column of another type, and the values that a model must convert it to.
SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "all empty": (
        {name: pa.nulls(1, pa.string()) for name in ROW},
        {name: pa.nulls(1, pa.array([value]).type) for name, value in ROW.items()},
    ),
    "empty as text": (
        {"n": pa.array([""]), "at": pa.array([" "]), "flag": pa.array(["n/a"])},
        {"n": None, "at": None, "flag": None},
    ),
    "null type": ({"n": pa.nulls(1), "c": pa.nulls(1)}, {"n": None, "c": None}),
    "empty list": ({"n": pa.nulls(1, pa.list_(pa.int64()))}, {"n": None}),
    "whole for fraction": ({"x": pa.array([2])}, {"x": 2.0}),
    "fraction for whole": ({"n": pa.array([2.0])}, {"n": 2}),
    "number as text": ({"x": pa.array(["2.5"]), "n": pa.array(["007"])}, {"x": 2.5, "n": 7}),
    "truth as number": ({"flag": pa.array([1])}, {"flag": True}),
    "truth as text": ({"flag": pa.array(["No"])}, {"flag": False}),
    "number as truth": ({"n": pa.array([True])}, {"n": 1}),
    "category as number": ({"code": pa.array([7])}, {"code": "7"}),
    "category as fraction": ({"code": pa.array([7.0])}, {"code": "7"}),
    "category as truth": ({"word": pa.array([True])}, {"word": "True"}),
    "time as text": ({"at": pa.array(["2024-01-03T00:00:00Z"])}, {"at": dt.datetime(2024, 1, 3)}),
    "time as date": ({"at": pa.array([dt.date(2024, 1, 3)])}, {"at": dt.datetime(2024, 1, 3)}),
}


def _one_row(**changes: Any) -> pa.Table:
    cells = {**ROW, **changes}
    types = {name: pa.array([value]).type for name, value in ROW.items()}
    return pa.table(
        {
            name: cell if isinstance(cell, pa.Array) else pa.array([cell], types[name])
            for name, cell in cells.items()
        }
    )


@pytest.mark.parametrize("what", SAME)
def test_a_row_of_other_types_is_predicted_as_its_values_are(
    what: str, case: tuple[Any, dict[str, Any]], tmp_path: Path
) -> None:
    trained, report = case
    given, meant = SAME[what]
    answers = [
        infer(
            tmp_path / side,
            _one_row(**changes),
            trained.delivered["model.skops"],
            report["signature"],
            keys=[],
        )[2]["prediction"].to_pylist()
        for side, changes in (("given", given), ("meant", meant))
    ]
    assert answers[0] == pytest.approx(answers[1])


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "text for a number": (
        {"n": pa.array(["many"])},
        "column n is VARCHAR and holds 'many' in row 1, and the model was trained on a number "
        "(BIGINT)",
    ),
    "text for a truth value": (
        {"flag": pa.array(["perhaps"])},
        "column flag is VARCHAR and holds 'perhaps' in row 1",
    ),
    "two for a truth value": (
        {"flag": pa.array([2])},
        "column flag is BIGINT, and the model was trained on true or false (BOOLEAN)",
    ),
    "text for a time": (
        {"at": pa.array(["soon"])},
        "column at is VARCHAR and holds 'soon' in row 1",
    ),
    "a number for a time": (
        {"at": pa.array([5])},
        "column at is BIGINT, and the model was trained on a date or a time",
    ),
    "a time for a number": (
        {"n": pa.array([dt.date(2024, 1, 1)])},
        "column n is DATE, and the model was trained on a number",
    ),
    "an unknown number for a category": (
        {"c": pa.array([5])},
        "none of its values is one of the model's categories (blue, red)",
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_values_that_do_not_fit_are_named_with_their_row(
    what: str, case: tuple[Any, dict[str, Any]], tmp_path: Path
) -> None:
    trained, report = case
    changes, message = MISFITS[what]
    with pytest.raises(WorkFailed) as caught:
        infer(tmp_path, _one_row(**changes), trained.delivered["model.skops"], report["signature"])
    assert caught.value.reason is FailureReason.SIGNATURE_MISMATCH
    assert message in caught.value.message


def test_an_absent_column_is_empty_where_the_job_says_so(
    case: tuple[Any, dict[str, Any]], tmp_path: Path
) -> None:
    trained, report = case
    table = _one_row().select(["x", "c"])
    with pytest.raises(WorkFailed, match="column n is missing; column code is missing"):
        infer(tmp_path / "a", table, trained.delivered["model.skops"], report["signature"])
    context, _, created = infer(
        tmp_path / "b",
        table,
        trained.delivered["model.skops"],
        report["signature"],
        missing_columns="empty",
    )
    assert np.isfinite(created["prediction"].to_numpy()).all()
    assert (
        "The dataset has no column n, code, word, flag, at: predicted as if it had no value."
        in context.notices()
    )


def _numbers_with(cells: list[str], count: int = 80) -> pa.Table:
    values = [f"{number / 4:.2f}" for number in range(count)]
    for position, cell in enumerate(cells):
        values[11 + 20 * position] = cell
    return pa.table(
        {
            "x": values,
            "c": [["a", "b"][number % 2] for number in range(count)],
            "y": [number / 4 for number in range(count)],
        }
    )


@pytest.mark.parametrize("cells", [["n/a"], ["n/a", "?"], ["12,5"], ["1.2.3", "abc", "-"]], ids=str)
def test_a_column_of_nearly_all_numbers_is_reported_and_used_as_a_number(
    cells: list[str], tmp_path: Path
) -> None:
    context, report = train(tmp_path, _numbers_with(cells), target="y", algorithm="linear")
    assert {"name": "x", "kind": "number", "type": "DOUBLE"} in report["signature"]["features"]
    assert report["metrics"]["r2"] > 0.8
    message = (
        f"Column x is text because of {cells[0]!r} in row 12: {80 - len(cells)} of its 80 values "
        "are numbers. It is used as a number"
    )
    assert message in context.notices()


def test_a_column_of_numbers_and_a_word_for_missing_is_a_number_however_often_that_stands_there(
    tmp_path: Path,
) -> None:
    table = pa.table(
        {
            "x": ["n/a" if number % 2 else str(number) for number in range(80)],
            "y": [number % 40 for number in range(80)],
        }
    )
    _, report = train(tmp_path, table, target="y", algorithm="linear")
    assert report["signature"]["features"][0]["kind"] == "number"


def test_the_prediction_reads_such_a_column_as_the_training_did(tmp_path: Path) -> None:
    trained, report = train(tmp_path / "t", _numbers_with(["n/a"]), target="y", algorithm="linear")
    new = pa.table({"x": ["n/a", "3.5"], "c": ["a", "b"]})
    _, _, created = infer(
        tmp_path / "i", new, trained.delivered["model.skops"], report["signature"], keys=[]
    )
    assert np.isfinite(created["prediction"].to_numpy()).all()


def test_a_target_that_is_nearly_all_numbers_is_learned_as_a_number(tmp_path: Path) -> None:
    table = pa.table({"x": NUMBERS, "y": [str(number) for number in range(N - 1)] + ["many"]})
    context, report = train(tmp_path, table, target="y", algorithm="linear")
    assert (report["task"], report["training"]["dropped_rows"]) == ("regression", 1)
    assert (
        "The target y is text because of 'many' in row 60: 59 of its 60 values are numbers. "
        "It is learned as a number"
    ) in context.notices()
    context, report = train(
        tmp_path / "b",
        table.set_column(1, "y", pa.array(["1", "2"] * 29 + ["x", "x"])),
        target="y",
        task="classification",
    )
    assert report["signature"]["classes"] == ["1", "2", "x"]


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": [f"{number % 9:03}" for number in range(79)] + ["A"],
            "y": [float(number) for number in range(80)],
        }
    )
    _, report = train(tmp_path, table, target="y", algorithm="linear")
    assert report["signature"]["features"] == [{"name": "x", "kind": "category", "type": "VARCHAR"}]


def test_pipelines_keep_every_type(tmp_path: Path) -> None:
    from jobs.worker.pipelines.runner import run_pipeline

    table = pa.table({f"c{index}": column for index, (column, _) in enumerate(TYPES.values())})
    context = RecordedContext(tmp_path, type="pipeline_execution", parameters={})
    steps = [
        {"id": "a", "uses": "read", "with": {"dataset": "d"}},
        {"id": "b", "uses": "sql", "with": {"query": "SELECT * FROM a"}},
        {"id": "w", "uses": "write", "with": {"dataset": "out", "from": "b"}},
    ]
    context.inputs.append({"name": "pipeline", "kind": "pipeline", "definition": {"steps": steps}})
    schema = write_table(tmp_path / "table.parquet", table)
    context.give(
        tmp_path / "table.parquet",
        name="a",
        kind="dataset",
        dataset="d",
        version=1,
        format="parquet",
        schema=schema,
        row_count=N,
    )
    result = run_pipeline(context)  # type: ignore[arg-type]
    assert result["outputs"][0]["schema"] == schema
    assert pq.read_table(context.delivered["dataset-w.parquet"]).num_rows == N
