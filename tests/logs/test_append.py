"""Each byte is stored once.

Only at the current end, only while the log is open, and returned unchanged.
"""

import pytest

from jobs.contract import LOG_CHUNK_BYTES_MAX
from jobs.logs.append import log_append
from jobs.logs.read import log_read, log_read_raw, log_sha256
from jobs.models import Attempt, LogChunk
from mimir.lib.errors import Conflict, Gone, Invalid, TooLarge
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)
ONE, TWO = make.LINE + b"one\n", make.LINE + b"two\n"


def _all(attempt: Attempt) -> bytes:
    return b"".join(log_read(attempt=attempt).chunks)


def test_chunks_follow_one_another() -> None:
    attempt = make.claimed()
    end = log_append(attempt_id=attempt.id, offset=0, data=ONE)
    assert log_append(attempt_id=attempt.id, offset=end, data=TWO) == len(ONE + TWO)
    assert _all(attempt) == ONE + TWO


def test_a_repeated_chunk_is_stored_once() -> None:
    attempt = make.claimed()
    log_append(attempt_id=attempt.id, offset=0, data=ONE)
    refused = None
    try:
        log_append(attempt_id=attempt.id, offset=0, data=ONE)
    except Conflict as conflict:
        refused = (conflict.code, conflict.detail["end"])
    assert refused == ("wrong_offset", len(ONE))
    assert _all(attempt) == ONE


def test_a_chunk_past_the_end_is_refused() -> None:
    attempt = make.claimed()
    refused = None
    try:
        log_append(attempt_id=attempt.id, offset=10, data=ONE)
    except Conflict as conflict:
        refused = conflict.detail["end"]
    assert refused == 0
    assert LogChunk.objects.count() == 0


def test_a_closed_log_accepts_nothing() -> None:
    attempt = make.claimed()
    end = make.log(attempt, b"one")
    make.finish(attempt)
    with pytest.raises(Gone):
        log_append(attempt_id=attempt.id, offset=end, data=TWO)


def test_a_fenced_attempt_still_delivers_its_log() -> None:
    attempt = make.claimed()
    make.launcher().leave_processes(attempt.name, 1)
    make.launcher().obeys = False
    make.reconcile()
    attempt.refresh_from_db()
    assert attempt.fenced_at
    assert log_append(attempt_id=attempt.id, offset=0, data=ONE) == len(ONE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no prefix\n",
        make.LINE + b"no end",
        ONE + b"\n",
        make.LINE.replace(b"stdout", b"stdlog") + b"x\n",
        make.LINE + b"x" * 17_000 + b"\n",
    ],
)
def test_an_invalid_line_is_refused(data: bytes) -> None:
    attempt = make.claimed()
    with pytest.raises(Invalid):
        log_append(attempt_id=attempt.id, offset=0, data=data)


def test_a_chunk_over_the_limit_is_refused() -> None:
    attempt = make.claimed()
    with pytest.raises(TooLarge):
        log_append(
            attempt_id=attempt.id, offset=0, data=ONE * (LOG_CHUNK_BYTES_MAX // len(ONE) + 1)
        )


def test_a_lost_worker_leaves_a_marker_and_no_silence() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    make.launcher().vanish(attempt.name)
    make.settle()
    part = log_read(attempt=attempt)
    text = b"".join(part.chunks)
    assert part.complete is False
    assert text.startswith(ONE)
    assert b"stderr F mimir: The worker ended without delivering its log" in text


def test_the_spool_of_a_dead_worker_is_appended() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    worker = make.launcher().workers[attempt.name]
    worker.spool = ONE + TWO
    make.launcher().end(attempt.name)
    make.settle()
    assert b"".join(log_read(attempt=attempt).chunks).startswith(ONE + TWO)


def test_raw_text_joins_the_parts_of_a_long_line() -> None:
    attempt = make.claimed()
    part = make.LINE.replace(b" F ", b" P ")
    log_append(
        attempt_id=attempt.id,
        offset=0,
        data=part + b"long " + b"\n" + make.LINE + b"line\n" + ONE.replace(b"stdout", b"stderr"),
    )
    assert b"".join(log_read_raw(attempt=attempt, stream="stdout").chunks) == b"long line\n"
    assert b"".join(log_read_raw(attempt=attempt, stream="stderr").chunks) == b"one\n"


def test_the_checksum_is_of_all_stored_bytes() -> None:
    import hashlib

    attempt = make.claimed()
    make.log(attempt, b"one", b"two")
    attempt.refresh_from_db()
    assert log_sha256(attempt) == hashlib.sha256(ONE + TWO).hexdigest()
