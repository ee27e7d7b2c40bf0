"""Log lines of workers: the raw reader returns exactly the written bytes.

Stored lines never exceed the maximum length, however the bytes arrive.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.contract import LOG_LINE_BYTES_MAX
from jobs.logs.append import _LINES
from jobs.logs.read import raw_text
from jobs.worker.cri_log import TEXT_BYTES_MAX, LineFormatter

NOW = 1_795_000_000_123_456_789
# Short pieces with special bytes, and runs around the length at which a line is cut.
_special = st.sampled_from(
    [
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\x00",
        b" ",
        b"\xff\xfe",
        b"\xe2\x82",
        b" stdout F ",
        b"2026Z stderr P x\n",
    ]
)
_run = st.builds(
    lambda base, extra: b"x" * (base + extra),
    st.sampled_from([0, TEXT_BYTES_MAX, 2 * TEXT_BYTES_MAX]),
    st.integers(0, 3),
)
_piece = st.one_of(st.binary(max_size=40), _special, _run)


def _stored(pieces: list[tuple[bytes, bool]], stream: str = "stdout") -> bytes:
    """Return the lines stored for the given pieces. True: a pause follows the piece."""
    formatter, out = LineFormatter(stream), b""
    for data, pause in pieces:
        out += formatter.feed(data, NOW)
        if pause:
            out += formatter.flush(NOW)
    return out + formatter.flush(NOW)


@settings(max_examples=400)
@given(st.lists(st.tuples(_piece, st.booleans()), max_size=12))
def test_a_stored_value_is_read_back(pieces: list[tuple[bytes, bool]]) -> None:
    stored = _stored(pieces)
    assert raw_text(stored, "stdout") == b"".join(data for data, _ in pieces)
    assert raw_text(stored, "stderr") == b""
    assert all(len(line) < LOG_LINE_BYTES_MAX for line in stored.split(b"\n")), (
        "a stored line is too long"
    )
    assert not stored or _LINES.fullmatch(stored), "the orchestrator would refuse it"


@given(
    st.lists(st.tuples(_piece, st.booleans()), max_size=6),
    st.lists(st.tuples(_piece, st.booleans()), max_size=6),
)
def test_two_streams_in_one_log_come_apart_again(
    out: list[tuple[bytes, bool]], err: list[tuple[bytes, bool]]
) -> None:
    stored = _stored(out) + _stored(err, "stderr") + _stored(out)
    written = b"".join(data for data, _ in out)
    assert raw_text(stored, "stdout") == written * 2
    assert raw_text(stored, "stderr") == b"".join(data for data, _ in err)


def test_a_formatter_keeps_no_more_than_one_part_of_a_line() -> None:
    formatter = LineFormatter("stdout")
    for _ in range(200):
        formatter.feed(b"x" * 256 * 1024, NOW)
        assert len(formatter._rest) < TEXT_BYTES_MAX
