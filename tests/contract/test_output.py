"""Output of a job through the frontend's port: events, log, usage, artifacts."""

import hashlib
import re
from typing import Any

import pytest

from tests.contract.conftest import Api
from tests.support.waiting import wait_for

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) ([^\n]*)\n")
STORED_LINE_BYTES = 16 * 1024
PRINTED = b"first\n" + b"x" * 40000 + b"\n" + b"bad \xff byte\n"


@pytest.fixture(scope="module")
def log(api: Api, ran: dict[str, Any]) -> bytes:
    """Return all stored bytes of the log of the job `ran`."""
    path = f"jobs/{ran['id']}/logs/"
    wait_for(
        lambda: api("GET", path, params={"limit": 0}).headers["Log-Complete"] == "true",
        "its log is complete",
    )
    return api("GET", path).content


def test_events_have_their_keys_and_continue_after_a_seq(api: Api, ran: dict[str, Any]) -> None:
    wait_for(
        lambda: (
            api.every(f"jobs/{ran['id']}/events/")[-1]["kind"]
            in ("job.worker_gone", "job.log_closed")
        ),
        "its worker is gone",
    )
    events = api.every(f"jobs/{ran['id']}/events/", limit=3)
    assert all(sorted(event) == ["at", "attempt", "data", "kind", "seq"] for event in events)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["kind"] for event in events]
    lifecycle = [
        kind
        for kind in kinds
        if kind in ("job.submitted", "job.admitted", "job.claimed", "job.succeeded")
    ]
    assert lifecycle == ["job.submitted", "job.admitted", "job.claimed", "job.succeeded"]
    assert [event["data"]["step"] for event in events if event["kind"] == "step.succeeded"] == [
        "numbers",
        "large",
        "kept",
        "say",
    ]
    rows = {
        event["data"]["step"]: event["data"].get("rows")
        for event in events
        if event["kind"] == "step.succeeded"
    }
    assert (rows["numbers"], rows["large"]) == (3, 2)
    half = len(events) // 2
    page = api.get(f"jobs/{ran['id']}/events/", after=half)
    assert ([event["seq"] for event in page["results"]], page["next"]) == (
        list(range(half + 1, len(events) + 1)),
        None,
    )
    assert api.get(f"jobs/{ran['id']}/events/", after=10**12) == {"results": [], "next": None}
    assert api.every(f"jobs/{ran['id']}/events/", after=-5, limit=2) == events[-5:], "the last five"
    assert api.every(f"jobs/{ran['id']}/events/", after=-(10**9)) == events, "there are no more"


def test_every_kind_of_event_is_listed_in_the_document(api: Api, ran: dict[str, Any]) -> None:
    described = api.client.get("/api/schema/", headers={"Accept": "application/json"}).json()[
        "components"
    ]["schemas"]
    kinds = next(
        schema["enum"]
        for name, schema in described.items()
        if "job.submitted" in schema.get("enum", ())
    )
    assert {event["kind"] for event in api.every(f"jobs/{ran['id']}/events/")} <= set(kinds)


def test_a_log_has_cri_lines_that_join_to_the_printed_output(
    api: Api, ran: dict[str, Any], log: bytes
) -> None:
    assert b"".join(found.group() for found in LINE.finditer(log)) == log
    assert all(len(line) + 1 <= STORED_LINE_BYTES for line in log.split(b"\n"))
    answer = api("GET", f"jobs/{ran['id']}/logs/")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert _heads(answer) == (0, 1, len(log), "true")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def _heads(answer: Any) -> tuple[int, int, int, str]:
    return (
        int(answer.headers["Log-Offset"]),
        int(answer.headers["Log-Line"]),
        int(answer.headers["Log-End"]),
        answer.headers["Log-Complete"],
    )


def test_any_range_of_a_log_equals_that_range_of_the_whole_log(
    api: Api, ran: dict[str, Any], log: bytes
) -> None:
    path, end = f"jobs/{ran['id']}/logs/", len(log)
    for offset, limit in (
        (0, 10),
        (7, 100),
        (end - 5, 50),
        (end, 10),
        (end + 99, 10),
        (20_000, 20_000),
        (0, 0),
    ):
        answer = api("GET", path, params={"offset": offset, "limit": limit})
        start = min(offset, end)
        assert answer.content == log[start : start + limit]
        assert _heads(answer) == (start, log[:start].count(b"\n") + 1, end, "true")
    tail = api("GET", path, params={"offset": -200, "limit": 1000})
    assert (tail.content, int(tail.headers["Log-Offset"])) == (log[-200:], end - 200)
    whole = api("GET", path, params={"offset": -(10**9)})
    assert (whole.content, int(whole.headers["Log-Offset"])) == (log, 0)
    assert api("GET", path, params={"attempt": 1, "offset": -65536}).content == log[-65536:]
    api.refused("GET", path, 404, params={"attempt": 2})
    api.refused("GET", path, 400, "offset", params={"offset": "x"})
    api.refused("GET", path, 400, "limit", params={"limit": -1})


def test_the_raw_streams_equal_the_written_bytes(api: Api, ran: dict[str, Any], log: bytes) -> None:
    path = f"jobs/{ran['id']}/logs/"
    assert api("GET", path, params={"format": "raw", "stream": "stdout"}).content == PRINTED
    errors = api("GET", path, params={"format": "raw", "stream": "stderr"}).content
    assert errors == b"mimir: reading dataset numbers version 1\nto stderr\n", (
        "what the product itself says is no output of a step"
    )
    both = api("GET", path, params={"format": "raw"}).content
    assert sorted(both.splitlines()) == sorted((PRINTED + errors).splitlines())


@pytest.mark.parametrize("limit", [777, 16_384, 30_000])
def test_raw_parts_are_cut_at_stored_lines_and_join_without_loss(
    api: Api, ran: dict[str, Any], log: bytes, limit: int
) -> None:
    starts = {0, *(found.end() for found in LINE.finditer(log))}
    joined = b""
    for offset in range(0, len(log), limit):
        answer = api(
            "GET",
            f"jobs/{ran['id']}/logs/",
            params={"format": "raw", "stream": "stdout", "offset": offset, "limit": limit},
        )
        start, line, end, complete = _heads(answer)
        assert start in starts, "a part begins at a stored line"
        assert start - offset <= STORED_LINE_BYTES
        assert line == log[:start].count(b"\n") + 1
        assert (end, complete) == (len(log), "true")
        joined += answer.content
    assert joined == PRINTED


def test_a_log_is_searched_on_the_server_by_a_literal(
    api: Api, ran: dict[str, Any], log: bytes
) -> None:
    path = f"jobs/{ran['id']}/logs/search/"
    [hit] = api.every(path, q="TO STDERR")
    assert sorted(hit) == ["line", "match_length", "match_start", "offset", "text"]
    at = log.index(b"to stderr")
    assert hit["offset"] == log.rfind(b"\n", 0, at) + 1
    assert hit["line"] == log[:at].count(b"\n") + 1
    assert hit["text"][hit["match_start"] :][: hit["match_length"]].lower() == "to stderr"
    assert api.every(path, q=".*") == []
    assert api.every(path, q="stdout F") == [], "the prefixes are not searched"
    api.refused("GET", path, 400, "q")


def test_usage_is_memory_and_cpu_over_time(api: Api, ran: dict[str, Any]) -> None:
    usage = api.get(f"jobs/{ran['id']}/usage/")
    assert len(usage["results"]) <= 500
    assert usage["limit_bytes"] > 0
    assert all(
        sorted(point) == ["at", "cpu_millicores", "memory_bytes"] for point in usage["results"]
    )


def test_artifacts_download_as_attachments_with_the_listed_size(
    api: Api, ran: dict[str, Any]
) -> None:
    [found] = api.every(f"jobs/{ran['id']}/artifacts/")
    assert sorted(found) == ["media_type", "name", "sha256", "size_bytes", "url"]
    assert found["name"] == "made.txt"
    assert found["url"].startswith("/api/v1/")
    answer = api("GET", found["url"])
    assert answer.content == b"made by " + ran["id"].encode()
    assert (len(answer.content), hashlib.sha256(answer.content).hexdigest()) == (
        found["size_bytes"],
        found["sha256"],
    )
    assert answer.headers["Content-Disposition"] == 'attachment; filename="made.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    api.refused("GET", f"jobs/{ran['id']}/artifacts/none.txt/", 404)


def test_a_job_that_never_ran_has_an_empty_log_and_nothing_else(api: Api, project: str) -> None:
    big = {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "echo"},
        "resources": {"gpu": 64},
    }
    job = api.post(f"projects/{project}/jobs/", big)["id"]
    ended = api.ended(job)
    assert (ended["status"], ended["reason"]) == ("failed", "never_fits")
    answer = api("GET", f"jobs/{job}/logs/")
    assert (answer.content, _heads(answer)) == (b"", (0, 1, 0, "false"))
    assert api.get(f"jobs/{job}/logs/search/", q="x")["results"] == []
    assert api.get(f"jobs/{job}/usage/")["results"] == []
    assert api.get(f"jobs/{job}/artifacts/") == {"results": [], "next": None}
    api.refused("GET", f"jobs/{job}/logs/", 404, params={"attempt": 2})
