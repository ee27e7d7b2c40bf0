"""`GET /api/v1/jobs/{id}/export/`: a ZIP file with all stored data of a job, without secrets."""

import csv
import io
import json
import random
import zipfile
from typing import Any

import pytest

from jobs.admission.admit import admit_once
from jobs.api.export import FILES
from jobs.contract import FailureReason, FinishStatus
from jobs.core.tokens import session_token
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.report import heartbeat_record
from jobs.logs.seal import log_seal
from jobs.models import Attempt, Job, LogChunk
from jobs.queries import job_files
from mimir.api.zip_stream import Member, zip_stream
from mimir.lib.clock import utc_now
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

CHUNK = 200 * 1024


def _export(attempt: Attempt) -> zipfile.ZipFile:
    answer = _answer(attempt)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
    return zipfile.ZipFile(io.BytesIO(b"".join(answer)))


def _answer(attempt: Attempt) -> Any:
    return _caller(attempt).get(f"jobs/{attempt.job_id}/export/")


def _caller(attempt: Attempt) -> Caller:
    return Caller(attempt.job.project.created_by)


def _noise(size: int) -> list[bytes]:
    """Return lines that do not compress, `size` bytes in total."""
    dice = random.Random(1)
    return [dice.randbytes(4000).hex().encode() for _ in range(size // 8000)]


def _large_log(attempt: Attempt, size: int = 4 * 1024 * 1024) -> bytes:
    lines = _noise(size)
    per_append = CHUNK // 8100
    for at in range(0, len(lines), per_append):
        make.log(attempt, *lines[at : at + per_append])
    return b"".join(line + b"\n" for line in lines)


def test_the_files_have_what_the_api_returns() -> None:
    attempt = make.claimed()
    heartbeat_record(attempt_id=attempt.id, memory_bytes=5, peak_memory_bytes=6, cpu_millicores=7)
    make.log(attempt, b"hello", b"world")
    make.finish(attempt)
    make.settle()
    caller, export = _caller(attempt), _export(attempt)
    assert export.testzip() is None
    assert export.namelist() == ["README.txt", *FILES]
    job = f"jobs/{attempt.job_id}/"
    assert json.loads(export.read("job.json")) == caller.get(job).json()
    for name, path in (("events.json", "events/"), ("attempts.json", "attempts/")):
        assert json.loads(export.read(name)) == caller.get(f"{job}{path}").json()["results"]
    assert json.loads(export.read("time.json")) == caller.get(f"{job}time/").json()
    assert export.read("log.txt") == b"hello\nworld\n"
    [sample] = list(csv.DictReader(io.StringIO(export.read("usage.csv").decode())))
    assert (sample["attempt"], sample["memory_bytes"], sample["cpu_millicores"]) == ("1", "5", "7")
    edges = json.loads(export.read("lineage.json"))["edges"]
    assert edges == [{"from": "pipeline:echo@1", "to": f"job:{attempt.job_id}"}]
    readme = export.read("README.txt").decode()
    assert all(f"{name}: " in readme for name in FILES)


def test_two_exports_of_an_ended_job_are_equal() -> None:
    attempt = make.claimed()
    make.log(attempt, b"hello")
    make.finish(attempt)
    make.settle()
    assert b"".join(_answer(attempt)) == b"".join(_answer(attempt))


def test_a_job_without_a_worker_is_exported() -> None:
    job = make.job()
    answer = Caller(job.project.created_by).get(f"jobs/{job.id}/export/")
    export = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert json.loads(export.read("attempts.json")) == []
    assert (export.read("log.txt"), export.read("usage.csv").count(b"\n")) == (b"", 1)


def test_the_logs_of_two_attempts_have_headings() -> None:
    attempt = make.claimed(max_attempts=2)
    make.log(attempt, b"first")
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.WORKLOAD_FAILED)
    make.launcher().end(attempt.name, exit_code=1)
    make.settle()
    Job.objects.filter(id=attempt.job_id).update(not_before=None)
    admit_once()
    second = Attempt.objects.get(job=attempt.job, number=2)
    attempts_launch([second.id])
    make.claim(second)
    make.log(second, b"second")
    assert _export(attempt).read("log.txt") == (
        b"=== Attempt 1 on local ===\nfirst\n=== Attempt 2 on local ===\nsecond\n"
    )


def test_an_export_has_no_secret() -> None:
    attempt = make.claimed()
    make.log(attempt, b"hello")
    make.finish(attempt)
    make.settle()
    log_seal(attempt_id=attempt.id)
    attempt.refresh_from_db()
    assert attempt.claim_id
    assert attempt.log_object
    secrets = [
        session_token(attempt.id, attempt.claim_id),
        str(attempt.claim_id),
        str(attempt.id),
        attempt.log_object,
    ]
    export = _export(attempt)
    for name in export.namelist():
        content = export.read(name).decode()
        assert not [secret for secret in secrets if secret in content], name


def test_a_log_that_is_sealed_while_it_is_sent_is_whole() -> None:
    attempt = make.claimed()
    text = _large_log(attempt)
    make.finish(attempt)
    blocks = iter(_answer(attempt))
    sent = b""
    while len(sent) < 1024 * 1024:
        sent += next(blocks)
    assert log_seal(attempt_id=attempt.id)
    assert not LogChunk.objects.exists()
    export = zipfile.ZipFile(io.BytesIO(sent + b"".join(blocks)))
    assert export.testzip() is None
    assert export.read("log.txt") == text


def test_a_reader_that_stops_early_leaves_no_open_file(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = make.claimed()
    _large_log(attempt)
    make.finish(attempt)
    make.settle()
    log_seal(attempt_id=attempt.id)
    opened: list[Any] = []
    real = artifacts.open_file

    def open_file(name: str) -> Any:
        opened.append(real(name))
        return opened[-1]

    monkeypatch.setattr(artifacts, "open_file", open_file)
    answer = _answer(attempt)
    blocks = iter(answer)
    while not opened:
        next(blocks)
    assert not opened[0].closed
    answer.close()
    del answer, blocks
    assert opened[0].closed


def test_a_large_log_is_sent_in_small_blocks() -> None:
    attempt = make.claimed()
    _large_log(attempt)
    assert max(map(len, _answer(attempt))) < 3 * 1024 * 1024


def test_a_damaged_log_says_so_in_its_text() -> None:
    attempt = make.claimed()
    make.log(attempt, b"first")
    make.log(attempt, b"second")
    LogChunk.objects.filter(attempt=attempt).order_by("-start").first().delete()  # type: ignore[union-attr]
    text = _export(attempt).read("log.txt").decode()
    assert text.endswith(job_files.DAMAGED)
    assert "second" not in text


def test_a_log_with_an_unreadable_part_says_so_in_its_text() -> None:
    attempt = make.claimed()
    make.log(attempt, b"first")
    make.log(attempt, b"second")
    last = LogChunk.objects.filter(attempt=attempt).latest("start")
    LogChunk.objects.filter(attempt=attempt, start=last.start).update(data=b"no zlib stream")
    assert _export(attempt).read("log.txt").decode().endswith(job_files.DAMAGED)


def test_many_usage_samples_are_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_files, "SAMPLES_PAGE", 2)
    monkeypatch.setattr(job_files, "EVENTS_PAGE", 2)
    monkeypatch.setattr(job_files, "ATTEMPTS_PAGE", 1)
    attempt = make.claimed()
    for number in range(7):
        heartbeat_record(
            attempt_id=attempt.id,
            memory_bytes=number,
            peak_memory_bytes=number,
            cpu_millicores=1,
        )
    export = _export(attempt)
    rows = list(csv.DictReader(io.StringIO(export.read("usage.csv").decode())))
    assert [row["memory_bytes"] for row in rows] == [str(number) for number in range(7)]
    events = json.loads(export.read("events.json"))
    last = Job.objects.get(id=attempt.job_id).event_seq
    assert [event["seq"] for event in events] == list(range(1, last + 1))


def test_head_sends_no_file() -> None:
    attempt = make.claimed()
    answer = _caller(attempt).send("HEAD", f"jobs/{attempt.job_id}/export/")
    assert (answer.status_code, b"".join(answer)) == (200, b"")
    assert answer["Content-Disposition"].startswith('attachment; filename="job-')
    assert answer["Cache-Control"] == "private, no-store"


def test_an_archive_whose_source_fails_is_incomplete() -> None:
    def broken() -> Any:
        yield b"begin"
        raise OSError("the storage is away")

    blocks = zip_stream([Member("a.txt", [b"x"]), Member("b.txt", broken())], at=utc_now())
    sent = bytearray()
    with pytest.raises(OSError, match="away"):
        for block in blocks:
            sent += block
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(bytes(sent)))
