"""Spool: every reader gets the same log from its folder, however it was written.

A full disk does not damage the log.
"""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.clusters.launchers.worker_folder import spooled
from jobs.contract import LOG_CHUNK_BYTES_MAX
from jobs.worker import spool as spool_module
from jobs.worker.spool import Spool

LINE = b"2026-01-01T00:00:00.000000000Z stdout F "


def _lines(numbers: list[int]) -> bytes:
    return b"".join(LINE + b"x" * number + b"\n" for number in numbers)


def _read_all(spool: Spool, *, accept: bool) -> bytes:
    data, at = b"", spool.accepted
    while piece := spool.read(at):
        assert len(piece) <= LOG_CHUNK_BYTES_MAX
        data, at = data + piece, at + len(piece)
        if accept:
            spool.accept(at)
    return data


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3000), min_size=1, max_size=5), max_size=12))
def test_what_is_written_is_read_by_the_shipper_and_by_who_finds_it(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    before, spool_module.SEGMENT_BYTES = spool_module.SEGMENT_BYTES, 4096
    try:
        spool, written = Spool(folder, limit_bytes=10**9), b""
        for numbers in writes:
            spool.append(_lines(numbers))
            written += _lines(numbers)
        found, at = b"", 0
        while piece := spooled(folder, at):
            found, at = found + piece, at + len(piece)
        assert found == written
        assert (spool.end, spool.sha256) == (len(written), hashlib.sha256(written).hexdigest())
        assert _read_all(spool, accept=True) == written
        assert len(list(folder.iterdir())) <= 1, "segments that are accepted stay"
    finally:
        spool_module.SEGMENT_BYTES = before


def test_a_write_that_fails_half_way_leaves_the_lines_before_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, limit_bytes=10**9)
    spool.append(_lines([5]))
    real = os.pwrite

    def half(file: int, data: bytes, offset: int) -> int:
        if len(data) < 40:
            raise OSError(28, "No space left on device")
        return real(file, bytes(data)[:20], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="No space"):
        spool.append(_lines([7]))
    monkeypatch.undo()
    assert spooled(tmp_path, 0) == _lines([5])
    spool.append(_lines([9]))
    assert spooled(tmp_path, 0) == _read_all(spool, accept=False) == _lines([5, 9])


def test_a_segment_that_cannot_be_opened_costs_no_file_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old segment is closed before, and its descriptor number is reused for another file."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 10)
    spool = Spool(tmp_path / "spool", limit_bytes=10**9)
    spool.append(_lines([50]))
    real = os.open

    def full(*_arguments: object, **_named: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space"):
        spool.append(_lines([50]))
    monkeypatch.setattr(os, "open", real)
    other = (tmp_path / "other").open("wb")
    spool.append(_lines([60]))
    other.write(b"mine")
    other.close()
    assert (tmp_path / "other").read_bytes() == b"mine"
    assert _read_all(spool, accept=False) == _lines([50, 60])


def test_an_orchestrator_that_fell_behind_is_served_as_far_as_the_segments_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 10)
    spool = Spool(tmp_path, limit_bytes=10**9)
    for _ in range(3):
        spool.append(_lines([50]))
    one = len(_lines([50]))
    spool.accept(2 * one)
    assert (spool.rewind(2 * one), spool.rewind(one)) == (True, False)
    assert _read_all(spool, accept=False) == _lines([50])


def test_a_full_spool_says_so_until_there_is_space(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=100)
    assert not spool.full
    spool.append(_lines([80]))
    assert spool.full
    assert not spool.wait_not_full(0.01)
    spool.accept(spool.end)
    assert spool.wait_not_full(0.01)


def test_a_disk_that_takes_a_few_bytes_at_a_time_keeps_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, bytes(data[:7]), at))
    spool = Spool(tmp_path, limit_bytes=10**9)
    spool.append(_lines([40]))
    spool.append(_lines([3, 50]))
    assert _read_all(spool, accept=False) == _lines([40, 3, 50])


def test_a_full_spool_has_no_space_until_a_byte_is_accepted(tmp_path: Path) -> None:
    line = _lines([0])
    spool = Spool(tmp_path, limit_bytes=len(line))
    spool.append(line)
    assert (spool.full, spool.wait_not_full(0)) == (True, False)
    spool.accept(1)
    assert (spool.full, spool.wait_not_full(0)) == (False, True)


def test_output_is_for_its_owner_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new" / "spool", limit_bytes=10**9)
    spool.append(_lines([1]))
    [segment] = (tmp_path / "new" / "spool").iterdir()
    assert segment.stat().st_mode & 0o777 == 0o600
