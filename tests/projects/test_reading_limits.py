"""JSON that exceeds the memory of a parsing child is refused by the real child with a message."""

import json
from pathlib import Path
from typing import Any, Unpack

import pytest

from mimir.lib.reading.options import ReadOptionsBody
from projects.parsing import child_process, runner
from tests.support.reading import read_bytes, rows_of


def _refusal(folder: Path, content: str, **options: Unpack[ReadOptionsBody]) -> str:
    (folder / "t.json").write_text(content)
    with pytest.raises(runner.Unreadable) as refused:
        runner.inspect(str(folder / "t.json"), options=options, rows=1, scratch_dir=str(folder))
    return refused.value.message


def test_a_list_of_small_lists_that_python_cannot_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's parser reads these layouts.

    A MemoryError there must result in the usual refusal, without the child being killed.
    """
    monkeypatch.setattr(runner, "ADDRESS_BYTES_MAX", 400 * 1024**2)
    outcomes: list[child_process.Outcome] = []
    answer = runner._answer

    def noted(outcome: child_process.Outcome) -> Any:
        outcomes.append(outcome)
        return answer(outcome)

    monkeypatch.setattr(runner, "_answer", noted)
    rows = ",".join(["[1]"] * 2_000_000)
    assert (
        _refusal(tmp_path, f"[{rows}]")
        == "Reading the file took more memory than is allowed. Split it, or upload it as Parquet."
    )
    assert (outcomes[0].end, outcomes[0].code) == (child_process.End.MEMORY, 0)


def test_rows_that_lists_would_make_are_refused_within_the_limits_of_the_child(
    tmp_path: Path,
) -> None:
    wide = {f"k{number}": number for number in range(300)}
    lines = "\n".join(json.dumps({**wide, "v": [0] * 1000}) for _ in range(340))
    assert (
        "makes 340,000 rows of 301 columns, 102,340,000 cells. At most 100,000,000 are accepted."
        in _refusal(tmp_path, lines, lists="rows")
    )
    long = json.dumps({"text": "x" * 6_000_000, "v": [0] * 200}) + "\n{}\n"
    assert "repeats 1,200,000,200 characters of the other columns." in _refusal(
        tmp_path, long, lists="rows"
    )


def test_lists_in_a_small_file_become_many_rows(tmp_path: Path) -> None:
    found = read_bytes(
        tmp_path, b'{"id": 1, "v": [' + b",".join([b"12345"] * 300_000) + b"]}\n{}\n", lists="rows"
    )
    assert (found.row_count, len(rows_of(found))) == (300_001, 300_001)
