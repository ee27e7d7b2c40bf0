"""Last lines of a log, displayed with the reason of a failure."""

from mimir.frontend.pages.job.log_tail import last_lines, plain

TIME = b"2026-11-25T07:18:18.371Z "


def _stored(*lines: bytes) -> bytes:
    return b"".join(TIME + line + b"\n" for line in lines)


def test_the_last_nonempty_lines_have_their_numbers() -> None:
    stored = _stored(
        *(b"stdout F line %d" % number for number in range(1, 8)), b"stdout F ", b"stderr F the end"
    )
    found = last_lines(stored, 1, whole=True)
    assert [line["number"] for line in found] == [4, 5, 6, 7, 9]
    assert found[-1] == {"number": 9, "text": "the end", "stderr": True}


def test_a_part_that_starts_inside_a_line_omits_that_line() -> None:
    stored = b"stdout F the rest of a line that began before\n" + _stored(b"stdout F whole")
    assert last_lines(stored, 41, whole=False) == [{"number": 42, "text": "whole", "stderr": False}]


def test_a_log_without_lines_gives_none() -> None:
    assert last_lines(b"", 1, whole=True) == []


def test_a_line_is_shown_in_its_last_state_without_escapes() -> None:
    assert plain("\x1b[31mred\x1b[0m") == "red"
    assert plain("10 %\r50 %\r100 %\r") == "100 %"
    assert plain("a\u202eb") == "a\u27e8U+202E\u27e9b"
    assert plain("x" * 5000) == "x" * 300 + "…"
