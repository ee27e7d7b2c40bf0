"""Each kind of step through the API: inputs, outputs, side effects and messages."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(120)
NUMBERS = b"n,word\n1,one\n2,two\n3,three\n"
Steps = list[dict[str, Any]]


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2, 3], "word": ["one", "two", "three"]}), out)
    return out.getvalue()


FILES = {
    "/numbers.csv": NUMBERS,
    "/numbers.jsonl": b"".join(
        json.dumps({"n": n, "word": w}).encode() + b"\n"
        for n, w in ((1, "one"), (2, "two"), (3, "three"))
    ),
    "/numbers.parquet": _parquet(),
    "/packed": b"\x1f\x8b\x08\x00" + b"x" * 100,
    "/ragged.csv": b"a,b\n1,2\n3,4,5\n",
}


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A web server at an address that READ_URL_ALLOW permits."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/private":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.2:1/x")
                self.end_headers()
                return
            data = FILES.get(self.path)
            self.send_response(200 if data else 503)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def numbers(stack: Stack) -> dict[str, Any]:
    """Upload a dataset and return its version."""
    return _upload(stack, "numbers", NUMBERS)


def _upload(stack: Stack, name: str, data: bytes) -> dict[str, Any]:
    stack.project()
    answer = stack.call(
        "POST", "/api/v1/projects/demo/datasets/", data={"name": name}, files={"file": ("x", data)}
    )
    assert answer.status_code == 201, answer.text
    version: dict[str, Any] = answer.json()["version"]
    return version


def _step(identifier: str, uses: str, **options: Any) -> dict[str, Any]:
    return {"id": identifier, "uses": uses, "with": options}


def _write(source: str, dataset: str) -> dict[str, Any]:
    return {"id": f"write_{dataset}", "uses": "write", "with": {"dataset": dataset, "from": source}}


def _python(identifier: str, code: str) -> dict[str, Any]:
    return _step(identifier, "command", argv=["python3", "-c", code])


def _succeeded(stack: Stack, steps: Steps) -> dict[str, Any]:
    ended = stack.end_of(stack.submit(steps))
    assert ended["status"] == "succeeded", (ended["message"], stack.log(ended["id"]).text)
    return ended


def _failed(stack: Stack, steps: Steps) -> dict[str, Any]:
    ended = stack.end_of(stack.submit(steps))
    assert ended["status"] == "failed"
    return ended


def _rows(stack: Stack, dataset: str, version: int | str = "latest") -> list[list[Any]]:
    found: list[list[Any]] = stack.call(
        "GET", f"/api/v1/projects/demo/datasets/{dataset}/versions/{version}/rows/"
    ).json()["rows"]
    return found


def _artifacts(stack: Stack, job: dict[str, Any]) -> dict[str, str]:
    rows = stack.call("GET", f"/api/v1/jobs/{job['id']}/artifacts/").json()["results"]
    return {row["name"]: stack.call("GET", row["url"]).text for row in rows}


def _step_events(stack: Stack, job: dict[str, Any]) -> list[tuple[str, str, Any]]:
    found = [
        (event["kind"], event["data"])
        for event in stack.events(job["id"])
        if event["kind"].startswith("step.")
    ]
    return [(kind, data["step"], data.get("rows")) for kind, data in found]


def test_a_version_is_fixed_at_submit_and_a_retry_reads_the_same(
    stack: Stack, numbers: dict[str, Any]
) -> None:
    job = _succeeded(stack, [_step("a", "read", dataset="numbers"), _write("a", "copied")])
    assert {
        "name": "a",
        "kind": "dataset",
        "dataset": "numbers",
        "version": numbers["number"],
    } in job["inputs"]
    _upload(stack, "numbers", b"n,word\n9,nine\n")
    again = stack.end_of(stack.call("POST", f"/api/v1/jobs/{job['id']}/retry/").json()["id"])
    assert again["inputs"] == job["inputs"]
    first, second = (row["result"]["datasets"][0]["version"] for row in (job, again))
    assert second == first + 1
    assert (
        _rows(stack, "copied", second)
        == _rows(stack, "copied", first)
        == [[1, "one"], [2, "two"], [3, "three"]]
    )


def test_a_named_version_is_read_although_there_is_a_newer_one(
    stack: Stack, numbers: dict[str, Any]
) -> None:
    _upload(stack, "numbers", b"n,word\n9,nine\n")
    job = _succeeded(
        stack,
        [_step("a", "read", dataset="numbers", version=numbers["number"]), _write("a", "older")],
    )
    assert job["inputs"][1]["version"] == numbers["number"]
    assert len(_rows(stack, "older")) == 3


def test_each_step_tells_its_state_time_and_rows(stack: Stack, numbers: dict[str, Any]) -> None:
    steps = [
        _step("a", "read", dataset="numbers"),
        _step(
            "odd",
            "sql",
            query="SELECT n, upper(word) AS word FROM a WHERE n % 2 = 1; -- two of three",
        ),
        _write("odd", "odd"),
        _step("say", "command", argv=["/bin/echo", "done"]),
    ]
    job = _succeeded(stack, steps)
    order = [("a", 3), ("odd", 2), ("write_odd", 2), ("say", None)]
    assert _step_events(stack, job) == [
        event
        for step, rows in order
        for event in (("step.started", step, None), ("step.succeeded", step, rows))
    ]
    assert [(step["id"], step["rows"]) for step in job["result"]["steps"]] == order
    assert all(step["seconds"] >= 0 for step in job["result"]["steps"])
    assert _rows(stack, "odd") == [[1, "ONE"], [3, "THREE"]]


def test_the_result_of_a_job_names_that_job(stack: Stack, numbers: dict[str, Any]) -> None:
    job = _succeeded(stack, [_step("a", "read", dataset="numbers"), _write("a", "lineage")])
    (version,) = stack.call("GET", "/api/v1/projects/demo/datasets/lineage/").json()["versions"]
    assert (version["job"], version["row_count"], version["format"]) == (job["id"], 3, "parquet")
    assert job["result"]["datasets"] == [{"name": "lineage", "version": version["number"]}]
    assert [
        row["name"]
        for row in stack.call("GET", f"/api/v1/jobs/{job['id']}/artifacts/").json()["results"]
    ] == []


def test_a_step_that_fails_later_leaves_nothing_written_and_the_rest_undone(
    stack: Stack, numbers: dict[str, Any]
) -> None:
    steps = [
        _step("a", "read", dataset="numbers"),
        _write("a", "never"),
        _step("no", "command", argv=["false"]),
        _write("a", "neither"),
    ]
    job = _failed(stack, steps)
    assert (job["reason"], job["message"]) == (
        "exit_code",
        "Step no failed: the command ended with exit code 1",
    )
    messages = [
        (kind, step) for kind, step, _rows in _step_events(stack, job) if kind != "step.started"
    ]
    assert messages == [
        ("step.succeeded", "a"),
        ("step.succeeded", "write_never"),
        ("step.failed", "no"),
        ("step.skipped", "write_neither"),
    ]
    for name in ("never", "neither"):
        assert stack.call("GET", f"/api/v1/projects/demo/datasets/{name}/").status_code == 404


@pytest.mark.parametrize("path", ["/numbers.csv", "/numbers.jsonl", "/numbers.parquet"])
def test_a_url_is_read_by_its_content(stack: Stack, web: str, path: str) -> None:
    name = path.strip("/").replace(".", "_")
    job = _succeeded(stack, [_step("a", "read", url=web + path), _write("a", name)])
    assert job["result"]["steps"][0]["rows"] == 3
    assert _rows(stack, name) == [[1, "one"], [2, "two"], [3, "three"]]


@pytest.mark.parametrize(
    ("path", "options", "reason", "says"),
    [
        (
            "/numbers.csv",
            {"format": "parquet"},
            "invalid_input",
            "The file is csv, not parquet as named.",
        ),
        ("/packed", {}, "invalid_input", "gzip file is damaged or truncated"),
        ("/ragged.csv", {}, "invalid_input", "Line 3 has 3 cells, but line 1 names 2 columns."),
        ("/away", {}, "source_unavailable", "answered 503"),
        (
            "/private",
            {},
            "invalid_input",
            "127.0.0.2, a private or special-purpose address. An administrator can allow it in "
            "READ_URL_ALLOW",
        ),
    ],
)
def test_a_url_without_a_table_is_reported_with_its_step(
    stack: Stack, web: str, path: str, options: Any, reason: str, says: str
) -> None:
    job = _failed(stack, [_step("a", "read", url=web + path, **options)])
    assert (job["reason"], job["diagnosis"]["category"]) == (reason, reason)
    assert job["diagnosis"]["summary"].startswith("Step a failed: ")
    assert says in job["diagnosis"]["summary"]


def test_sql_that_runs_out_of_memory_says_limit_and_peak(stack: Stack) -> None:
    query = "SELECT list(repeat('x', 100) || range) AS l FROM range(20_000_000)"
    ended = stack.end_of(
        stack.submit([_step("big", "sql", query=query)], resources={"memory": "256Mi"})
    )
    assert (ended["status"], ended["reason"]) == ("failed", "out_of_memory")
    assert ended["diagnosis"]["summary"].startswith("Ran out of memory in step big. Used ")
    assert "of its 256 MiB" in ended["diagnosis"]["summary"]
    assert ended["diagnosis"]["next_steps"][0] == {
        "label": "Run again with 512 MiB",
        "patch": {"resources": {"memory": "512Mi"}},
        "actor": "user",
    }


def test_a_command_finds_the_workers_python_the_tables_and_who_it_is(
    stack: Stack, numbers: dict[str, Any]
) -> None:
    code = (
        "import os, json, duckdb, pyarrow.parquet as pq\n"
        "table = pq.read_table('inputs/a.parquet')\n"
        "count = duckdb.sql(\"SELECT sum(n) FROM 'inputs/twice.parquet'\").fetchall()[0][0]\n"
        "try: open('inputs/a.parquet', 'r+').close(); writable = os.getuid() != 0\n"
        "except OSError: writable = False\n"
        "facts = {'rows': table.num_rows, 'names': table.column_names, 'sum': int(count), "
        "'writable': writable}\n"
        "facts |= {'inputs': sorted(os.listdir('inputs')), 'job': os.environ['JOB_ID'], "
        "'attempt': os.environ['ATTEMPT_ID']}\n"
        "json.dump(facts, open('outputs/facts.json', 'w'))"
    )
    steps = [
        _step("a", "read", dataset="numbers"),
        _step("twice", "sql", query="SELECT 2 * n AS n FROM a"),
        _python("look", code),
    ]
    job = _succeeded(stack, steps)
    facts = json.loads(_artifacts(stack, job)["facts.json"])
    assert (facts["rows"], facts["names"], facts["sum"], facts["writable"]) == (
        3,
        ["n", "word"],
        12,
        False,
    )
    assert facts["inputs"] == ["a.parquet", "twice.parquet"]
    assert facts["job"] == job["id"]
    assert UUID(facts["attempt"]).version


def test_a_command_sees_only_the_tables_it_needs(stack: Stack, numbers: dict[str, Any]) -> None:
    list_step = {**_step("look", "command", argv=["ls", "inputs"]), "needs": ["b"]}
    job = _succeeded(
        stack,
        [_step("a", "read", dataset="numbers"), _step("b", "read", dataset="numbers"), list_step],
    )
    assert stack.log(job["id"], format="raw").text.splitlines()[-1:] == ["b.parquet"]


def test_what_is_left_in_outputs_becomes_artifacts_under_safe_names(stack: Stack) -> None:
    code = (
        "import os, socket\n"
        "os.makedirs('outputs/deep/er'); os.makedirs('outputs/empty')\n"
        "for name in ['plain.txt', 'deep/er/nested.txt', 'sp ace é.txt', '.hidden', '-dash', 'a' "
        "* 240, 'dataset-write_taken.parquet']:\n"
        "    open('outputs/' + name, 'w').write(name)\n"
        "open(b'outputs/\\xff\\xfe', 'w').write('bytes')\n"
        "os.symlink('/etc/passwd', 'outputs/link'); os.symlink('/etc', 'outputs/folder-link'); "
        "os.mkfifo('outputs/pipe')\n"
        "socket.socket(socket.AF_UNIX).bind('outputs/socket')\n"
    )
    steps = [_step("a", "sql", query="SELECT 1 AS n"), _python("make", code), _write("a", "taken")]
    job = _succeeded(stack, steps)
    assert _artifacts(stack, job) == {
        "plain.txt": "plain.txt",
        "deep-er-nested.txt": "deep/er/nested.txt",
        "sp_ace__.txt": "sp ace é.txt",
        "x.hidden": ".hidden",
        "x-dash": "-dash",
        "a" * 200: "a" * 240,
        "make-dataset-write_taken.parquet": "dataset-write_taken.parquet",
        "x__": "bytes",
    }
    log = stack.log(job["id"], format="raw", stream="stderr").text
    for name in ("link", "pipe", "socket"):
        assert f"mimir: outputs/{name} is not a regular file. It is ignored" in log
    assert _rows(stack, "taken") == [[1]]


def test_outputs_that_became_a_link_are_not_followed(stack: Stack) -> None:
    job = _failed(
        stack, [_step("make", "command", argv=["sh", "-c", "rmdir outputs && ln -s /etc outputs"])]
    )
    assert job["message"] == (
        "Step make failed: the command removed its folder outputs/, or replaced it with a "
        "link or a file"
    )
    assert _artifacts(stack, job) == {}


def test_a_missing_program_is_reported_by_name(stack: Stack) -> None:
    job = _failed(stack, [_step("make", "command", argv=["no-such-program", "x"])])
    assert (job["reason"], job["message"]) == (
        "invalid_input",
        "Step make failed: the program no-such-program does not exist",
    )


def test_a_definition_that_cannot_run_is_refused_when_it_is_saved(stack: Stack) -> None:
    stack.project()
    steps = [_step("a", "sql", query="SELECT * FROM b"), _step("b", "sql", query="SELECT * FROM a")]
    answer = stack.call(
        "POST",
        "/api/v1/projects/demo/pipelines/",
        json={"name": "circle", "definition": {"steps": steps}},
    )
    assert answer.status_code == 400
    assert list(answer.json()["detail"]) == ["definition.steps[0].needs"]
