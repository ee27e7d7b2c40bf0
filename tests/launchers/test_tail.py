"""Joining a pod's log with the stored log: no duplicates, no avoidable loss, gaps are marked."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.clusters.launchers.kubernetes.tail import LOST_LINES, joined
from jobs.logs.read import JOIN_BYTES


def _line(number: int, text: bytes = b"x") -> bytes:
    return (
        f"2026-11-25T10:00:{number // 60 % 60:02d}.{number % 60:09d}Z stdout F ".encode()
        + text
        + b"\n"
    )


def _after(stored: bytes) -> bytes:
    """Return the last stored bytes, as the reconciler reads them."""
    return stored[-JOIN_BYTES:]


def _rest(printed: list[bytes], stored: bytes) -> bytes:
    def read() -> Iterator[bytes]:
        return iter(printed)

    return b"".join(joined(read, _after(stored), len(stored)))


@pytest.mark.parametrize("delivered", [0, 1, 7, 20])
def test_missing_lines_are_appended(delivered: int) -> None:
    lines = [_line(number) for number in range(20)]
    assert _rest(lines, b"".join(lines[:delivered])) == b"".join(lines[delivered:])


@given(st.lists(st.sampled_from([b"a", b"b"]), max_size=30), st.integers(0, 30))
def test_lines_that_are_all_alike_are_joined_by_the_offset(
    texts: list[bytes], delivered: int
) -> None:
    """A loop prints the same line many times within one read, so all lines have the same time."""
    lines = [_line(0, text) for text in texts]
    assert _rest(lines, b"".join(lines[:delivered])) == b"".join(lines[delivered:])


def test_a_log_whose_older_part_is_thrown_away_is_joined_by_its_lines() -> None:
    lines = [_line(number, b"line %d" % number) for number in range(400)]
    assert _rest(lines[250:], b"".join(lines[:320])) == b"".join(lines[320:])


def test_where_the_joint_is_thrown_away_a_marker_says_so() -> None:
    lines = [_line(number, b"line %d" % number) for number in range(400)]
    rest = _rest(lines[350:], b"".join(lines[:320]))
    marker, *following = rest.splitlines(keepends=True)
    assert marker.endswith(b" stderr F " + LOST_LINES + b"\n")
    assert following == lines[350:]


def test_an_old_log_of_which_nothing_is_new_adds_nothing() -> None:
    lines = [_line(number, b"line %d" % number) for number in range(50)]
    assert _rest(lines[:10], b"".join(lines)) == b""


def test_a_traceback_of_the_supervisor_is_reported_as_stderr() -> None:
    lines = [_line(1), _line(2)]
    printed = [lines[0], b"Traceback (most recent call last):\n", lines[1], b"MemoryError\n"]
    rest = _rest(printed, lines[0]).splitlines()
    assert [line.split(b" ", 1)[1] for line in rest] == [
        b"stderr F Traceback (most recent call last):",
        b"stdout F x",
        b"stderr F MemoryError",
    ]


def test_the_output_of_a_worker_without_markers_is_kept() -> None:
    rest = _rest([b"exec /usr/local/bin/python: no such file\n"], b"")
    assert rest.endswith(b" stderr F exec /usr/local/bin/python: no such file\n")
