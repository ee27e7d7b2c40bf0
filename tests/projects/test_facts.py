"""Facts about the columns of a staged upload: exact over all rows, or absent."""

from pathlib import Path
from typing import Any, Unpack

from mimir.lib.reading.options import ReadOptionsBody
from projects.parsing import column_facts, runner
from tests.support.workbooks import xlsx


def _columns(
    folder: Path, content: bytes, *, sample: bool = False, **options: Unpack[ReadOptionsBody]
) -> dict[str, dict[str, Any]]:
    path = folder / "file"
    path.write_bytes(content)
    found = runner.inspect(
        str(path), options=options, rows=2, sample=sample, scratch_dir=str(folder)
    )
    return {
        column["name"]: {key: value for key, value in column.items() if key not in ("name", "type")}
        for column in found.schema
    }


def test_every_kind_of_column_has_its_facts(tmp_path: Path) -> None:
    lines = [
        (
            '{"id": 9007199254740993, "x": 1.5, "day": "2025-01-03", "word": "a", "none": null, '
            '"at": {"x": 1}, "ok": true}'
        ),
        '{"id": 7, "x": 1.5, "day": "2024-12-31", "word": null, "none": null, "at": null, "ok": '
        "false}",
        '{"id": 8, "x": null, "day": null, "word": "a", "none": null, "at": {"x": 1}, "ok": true}',
    ]
    assert _columns(tmp_path, "\n".join(lines).encode()) == {
        "id": {"missing": 0, "distinct": 3, "min": 7, "max": 9007199254740993},
        "x": {"missing": 1, "distinct": 1, "min": 1.5, "max": 1.5},
        "day": {"missing": 1, "distinct": 2, "min": "2024-12-31", "max": "2025-01-03"},
        "word": {"missing": 1, "distinct": 1},
        "none": {"missing": 3, "distinct": 0, "empty": True},
        "at": {"missing": 1},
        "ok": {"missing": 0, "distinct": 2},
    }


def test_infinity_is_not_an_end(tmp_path: Path) -> None:
    assert _columns(tmp_path, b"x\n1.5\ninf\n") == {"x": {"missing": 0, "distinct": 2}}


def test_a_workbook_and_a_parquet_file_have_facts(tmp_path: Path) -> None:
    known = {"n": {"missing": 0, "distinct": 2, "min": 1, "max": 2}}
    assert _columns(tmp_path, xlsx(["n"], [1], [2])) == known
    with runner.imported(str(tmp_path / "file"), options={}, scratch_dir=str(tmp_path)) as found:
        assert found.table is not None
        parquet = found.table.read_bytes()
        assert found.schema == [{"name": "n", "type": "BIGINT"}]
    assert _columns(tmp_path, parquet) == known


def test_a_beginning_and_a_large_table_have_none(tmp_path: Path) -> None:
    row = b"1," + b"x" * 2000 + b"\n"
    assert _columns(tmp_path, b"a,b\n" + row * 2500, sample=True) == {"a": {}, "b": {}}
    wide = ",".join(f"c{number}" for number in range(column_facts.COLUMNS_MAX + 1)).encode()
    assert set(
        map(
            len,
            _columns(tmp_path, wide + b"\n" + b"1," * column_facts.COLUMNS_MAX + b"1\n").values(),
        )
    ) == {0}
