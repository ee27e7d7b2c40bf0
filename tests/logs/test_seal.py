"""Sealing: rows become one complete object or none, also with concurrent sealers."""

import threading

import pytest
from django.core.files.storage import storages
from django.db import connections

from jobs.logs import seal as sealing
from jobs.logs.append import log_append
from jobs.logs.read import log_read
from jobs.logs.seal import log_objects_sweep, log_seal
from jobs.logs.store import EMPTY_INDEX, NO_OBJECT, LogState, log_state
from jobs.models import Attempt, LogChunk
from mimir.lib.errors import Gone
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("each_storage")]


def _closed(lines: int = 3) -> tuple[Attempt, bytes]:
    attempt = make.claimed()
    for number in range(lines):
        make.log(attempt, b"line %d" % number)
    make.finish(attempt)
    attempt.refresh_from_db()
    return attempt, b"".join(log_read(attempt=attempt).chunks)


def test_a_sealed_log_reads_as_before_at_any_offset() -> None:
    attempt, text = _closed(20)
    assert log_seal(attempt_id=attempt.id) is True
    assert LogChunk.objects.count() == 0
    for offset in range(0, len(text), 37):
        assert (
            b"".join(log_read(attempt=attempt, offset=offset, limit=50).chunks)
            == text[offset : offset + 50]
        )


def test_an_empty_log_is_sealed_when_it_is_closed() -> None:
    """An empty log needs no object, and the sealer skips it."""
    attempt, text = _closed(0)
    assert text == b""
    assert (attempt.log_object, attempt.log_index) == (NO_OBJECT, EMPTY_INDEX)
    assert log_seal(attempt_id=attempt.id) is False
    assert log_state(attempt.id) == LogState(
        attempt.id, end=0, lines=0, closed=True, complete=True, sealed=True
    )


def test_an_open_log_is_not_sealed() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    assert log_seal(attempt_id=attempt.id) is False
    assert LogChunk.objects.count() == 1


def test_rows_stay_until_the_object_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, or the process is killed while it writes: the rows still have the whole
    log.
    """
    attempt, text = _closed()

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(sealing, "_write_durably", broken)
    with pytest.raises(OSError, match="no space"):
        log_seal(attempt_id=attempt.id)
    attempt.refresh_from_db()
    assert LogChunk.objects.filter(attempt=attempt).count() == 3, (
        "rows were deleted before the object was durable"
    )
    assert attempt.log_object is None
    assert b"".join(log_read(attempt=attempt).chunks) == text


def test_rows_are_deleted_after_the_object_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, _text = _closed()
    sizes: list[int] = []
    real = sealing._write_durably

    def watched(name: str, blocks: object) -> None:
        real(name, blocks)  # type: ignore[arg-type]
        sizes.append(LogChunk.objects.filter(attempt=attempt).count())

    monkeypatch.setattr(sealing, "_write_durably", watched)
    log_seal(attempt_id=attempt.id)
    assert sizes == [3]


def test_two_sealers_at_once_leave_one_whole_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both write before either updates the pointer.

    With one object name, the cleanup of the second would remove the object of the first.
    """
    attempt, text = _closed()
    both = threading.Barrier(2, timeout=10)
    real = sealing._point_to
    outcomes: list[object] = []

    def together(*arguments: object) -> bool:
        both.wait()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing, "_point_to", together)

    def seal() -> None:
        try:
            outcomes.append(log_seal(attempt_id=attempt.id))
        except Exception as error:
            both.abort()
            outcomes.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["False", "True"], outcomes
    attempt.refresh_from_db()
    assert b"".join(log_read(attempt=attempt).chunks) == text
    shard = attempt.id.hex[-2:]
    assert (
        len(
            [
                name
                for name in storages["artifacts"].listdir(f"logs/{shard}")[1]
                if str(attempt.id) in name
            ]
        )
        == 1
    )


def test_an_append_between_the_sealers_read_and_its_pointer_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt, text = _closed()
    refused: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "log.seal_reader":
            try:
                log_append(attempt_id=attempt.id, offset=len(text), data=make.LINE + b"late\n")
            except Gone as gone:
                refused.append(gone.code)

    monkeypatch.setattr(sealing, "crash_point", meanwhile)
    assert log_seal(attempt_id=attempt.id) is True
    assert refused == ["log_closed"]
    attempt.refresh_from_db()
    assert b"".join(log_read(attempt=attempt).chunks) == text


def test_a_second_sealer_after_the_first_does_nothing() -> None:
    attempt, _text = _closed()
    assert (log_seal(attempt_id=attempt.id), log_seal(attempt_id=attempt.id)) == (True, False)


def test_only_an_unreferenced_object_is_swept() -> None:
    attempt, text = _closed()
    log_seal(attempt_id=attempt.id)
    stray = sealing._object_name(attempt.id)
    from django.core.files.base import ContentFile

    storages["artifacts"].save(stray, ContentFile(b"x"))
    assert log_objects_sweep(older_than_seconds=-1) >= 1
    assert not storages["artifacts"].exists(stray)
    attempt.refresh_from_db()
    assert b"".join(log_read(attempt=attempt).chunks) == text


def test_a_reader_continues_when_the_log_is_sealed_meanwhile() -> None:
    attempt, text = _closed(5)
    part = log_read(attempt=attempt)
    log_seal(attempt_id=attempt.id)
    assert b"".join(part.chunks) == text
