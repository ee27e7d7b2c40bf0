"""Tables written by a command: declared in its step, read from `outputs/`, all or none."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.contract import FailureReason
from jobs.contract.protocol import PipelineResult
from jobs.worker.pipelines.runner import run_pipeline
from jobs.worker.workload_context import WorkFailed
from mimir.dev.paths import ROOT
from mimir.lib.schemas.pipeline import check_definition, graph
from tests.support.recorded_context import RecordedContext

pytestmark = pytest.mark.timeout(60)
SOURCE = {
    "id": "src",
    "uses": "sql",
    "with": {"query": "SELECT 1 AS n UNION ALL SELECT 2 ORDER BY n"},
}
PANDAS = (
    "import pandas as pd; "
    "pd.read_parquet('inputs/src.parquet').assign(z=1).to_parquet('outputs/clean.parquet')"
)


def _command(code: str, *tables: str, identifier: str = "clean") -> dict[str, Any]:
    return {
        "id": identifier,
        "uses": "command",
        "with": {"argv": ["python3", "-c", code], "tables": list(tables)},
    }


def _write(source: str) -> dict[str, Any]:
    return {"id": "w", "uses": "write", "with": {"dataset": "out", "from": source}}


def _run(folder: Path, *steps: dict[str, Any]) -> tuple[RecordedContext, PipelineResult]:
    assert check_definition({"steps": list(steps)}) == []
    context = RecordedContext(folder, type="pipeline_execution", parameters={})
    context.inputs.append(
        {"name": "pipeline", "kind": "pipeline", "definition": {"steps": list(steps)}}
    )
    return context, run_pipeline(context)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code",
    [
        PANDAS,
        "open('outputs/clean.csv', 'w').write('n,z\\n1,1\\n2,1\\n')",
        'open(\'outputs/clean.jsonl\', \'w\').write(\'{"n": 1, "z": 1}\\n{"n": 2, "z": 1}\\n\')',
    ],
    ids=["parquet", "csv", "jsonl"],
)
def test_a_declared_table_can_be_written_queried_and_read_by_a_later_command(
    code: str, tmp_path: Path
) -> None:
    total = {
        "id": "total",
        "uses": "sql",
        "with": {"query": "SELECT sum(n) AS n, sum(z) AS z FROM CLEAN"},
    }
    later = _command(
        "import pandas as pd; pd.read_parquet('inputs/clean.parquet').to_csv('outputs/seen.txt', "
        "index=False)",
        identifier="later",
    )
    context, result = _run(tmp_path, SOURCE, _command(code, "clean"), later, total, _write("total"))
    assert pq.read_table(context.delivered["dataset-w.parquet"]).to_pylist() == [{"n": 3, "z": 2}]
    assert context.delivered["seen.txt"].read_text() == "n,z\n1,1\n2,1\n"
    assert set(context.delivered) == {
        "dataset-w.parquet",
        "seen.txt",
    }  # the file of a table is not an artifact too
    assert result["outputs"][0]["schema"] == [
        {"name": "n", "type": "BIGINT"},
        {"name": "z", "type": "BIGINT"},
    ]


def test_a_command_can_hand_on_several_tables_beside_its_artifacts(tmp_path: Path) -> None:
    code = (
        "for name in ('good', 'bad'): open(f'outputs/{name}.csv', "
        "'w').write(f'word\\n{name}\\n')\nopen('outputs/note.txt', 'w').write('x')"
    )
    joined = {
        "id": "both",
        "uses": "sql",
        "with": {"query": "SELECT word FROM good UNION ALL SELECT word FROM bad ORDER BY word"},
    }
    context, _ = _run(
        tmp_path, _command(code, "good", "bad", identifier="sort"), joined, _write("both")
    )
    assert pq.read_table(context.delivered["dataset-w.parquet"])["word"].to_pylist() == [
        "bad",
        "good",
    ]
    assert context.delivered["note.txt"].read_text() == "x"


def test_a_table_written_without_a_query_keeps_its_types(tmp_path: Path) -> None:
    code = (
        "import pyarrow as pa, pyarrow.parquet as pq, datetime as dt\n"
        "pq.write_table(pa.table({'at': pa.array([dt.datetime(2024, 1, 1)], pa.timestamp('ns', "
        "'UTC')), 'n': pa.array([2**63], pa.uint64())}), "
        "'outputs/clean.parquet')"
    )
    context, result = _run(tmp_path, _command(code, "clean"), _write("clean"))
    assert pq.read_table(context.delivered["dataset-w.parquet"])["n"].to_pylist() == [2**63]
    assert [column["type"] for column in result["outputs"][0]["schema"]] == [
        "TIMESTAMPTZ_NS",
        "UBIGINT",
    ]


BAD = {
    "not written": ("pass", ["clean"], "did not write the table clean"),
    "one of two not written": (
        "open('outputs/clean.csv', 'w').write('a\\n1\\n')",
        ["clean", "more"],
        "did not write the table more",
    ),
    "two files": (
        "open('outputs/clean.csv', 'w').write('a\\n1\\n'); open('outputs/clean.jsonl', "
        "'w').write('{}')",
        ["clean"],
        "more than one file",
    ),
    "no table": (
        "open('outputs/clean.parquet', 'wb').write(b'PAR1 cut')",
        ["clean"],
        "outputs/clean.parquet cannot be read as a table",
    ),
    "a link": (
        "import os; os.symlink('/etc/passwd', 'outputs/clean.csv')",
        ["clean"],
        "did not write the table clean",
    ),
    "no folder": ("import os; os.rmdir('outputs')", ["clean"], "removed its folder outputs/"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_table_that_is_not_there_fails_the_step_and_nothing_is_kept(
    what: str, tmp_path: Path
) -> None:
    code, tables, message = BAD[what]
    with pytest.raises(WorkFailed) as caught:
        _run(
            tmp_path,
            _command(
                f"open('outputs/note.txt', 'w').write('x') if {what!r} != 'no folder' else "
                f"0\n{code}",
                *tables,
            ),
        )
    assert message in caught.value.message
    assert caught.value.reason in (FailureReason.INVALID_INPUT, FailureReason.WORKLOAD_FAILED)
    assert not list((tmp_path / "delivered").iterdir())


@pytest.mark.parametrize(
    ("steps", "path", "message"),
    [
        (
            [SOURCE, {**_command("x"), "with": {"argv": ["x"]}}, _write("clean")],
            "steps[2].with.from",
            'Add "tables": ["clean"]',
        ),
        (
            [SOURCE, _command("x", "src")],
            "steps[1].with.tables[0]",
            "is already the name of a table or step (src)",
        ),
        ([_command("x", "a", "a")], "steps[0].with.tables[1]", "is already the name"),
        (
            [_command("x", "a"), _command("y", "A", identifier="other")],
            "steps[1].with.tables[0]",
            "is already the name",
        ),
        ([_command("x", "no.dot")], "steps[0].with.tables[0]", "letters, digits and underscores"),
        (
            [{**_command("x"), "with": {"argv": ["x"], "tables": "clean"}}],
            "steps[0].with.tables",
            "must be a list",
        ),
        (
            [
                {**_command("x", "clean"), "needs": ["q"]},
                {"id": "q", "uses": "sql", "with": {"query": "FROM clean"}},
            ],
            "steps[0].needs",
            "",
        ),
    ],
)
def test_bad_declarations_are_refused_at_their_field(
    steps: list[dict[str, Any]], path: str, message: str
) -> None:
    faults = {fault.path: fault.message for fault in check_definition({"steps": steps})}
    assert list(faults) == [path]
    assert message in faults[path]


def test_the_graph_leads_from_the_command_to_what_reads_its_tables() -> None:
    steps: Any = [_command("x", "good", identifier="sort"), _write("good")]
    assert graph({"steps": steps})["edges"] == [["sort", "w"]]


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    code = (
        "import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({'a': pa.array([], "
        "pa.int32())}), 'outputs/clean.parquet')"
    )
    context, result = _run(tmp_path, _command(code, "clean"), _write("clean"))
    assert result["outputs"][0]["row_count"] == 0
    assert pq.read_schema(context.delivered["dataset-w.parquet"]).field("a").type == pa.int32()


def test_a_command_without_tables_does_not_wait_for_the_file_reader(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom jobs.worker.pipelines.runner import "
        "run_pipeline\n"
        "from tests.support.recorded_context import RecordedContext\n"
        "steps = [{'id': 'say', 'uses': 'command', 'with': {'argv': ['/bin/true']}}]\n"
        "context = RecordedContext(Path(sys.argv[1]), type='pipeline_execution', parameters={})\n"
        "context.inputs.append({'name': 'pipeline', 'kind': 'pipeline', 'definition': {'steps': "
        "steps}})\n"
        "run_pipeline(context)\n"
        "print([name for name in sys.modules if name.startswith(('mimir.lib.reading', 'duckdb', "
        "'pyarrow'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
