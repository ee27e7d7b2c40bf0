"""Exit report of a container: untrusted text, or log lines instead of a report."""

import json
from typing import Any

import pytest

from jobs.diagnosis.termination import ExitReport, read_exit_report


def _said(**more: Any) -> str:
    return json.dumps({"code": 5, "at": "2026-11-25T16:00:00+00:00", **more})


def test_what_the_worker_could_not_tell_is_read_from_it() -> None:
    said = _said(
        reason="out_of_memory",
        message="It used all.",
        signal=9,
        peak_memory_bytes=2**30,
        log_end=17,
    )
    assert read_exit_report(said) == ExitReport(5, "out_of_memory", "It used all.", 9, 2**30, 17)


def test_an_end_that_was_accepted_needs_no_reason() -> None:
    assert read_exit_report(_said(log_end=0)) == ExitReport(5, log_end=0)


NO_WORD = [
    None,
    "",
    "worker: not set: JOB_ID",
    "5",
    "[]",
    "{",
    '{"code": "5", "at": ""}',
    '{"code": 5}',
    '{"code": true, "at": ""}',
]


@pytest.mark.parametrize("text", NO_WORD)
def test_lines_of_a_log_are_not_an_exit_report(text: object) -> None:
    assert read_exit_report(text) is None


def test_forged_exit_report_fields_are_ignored() -> None:
    said = read_exit_report(
        _said(
            reason="everything_is_fine",
            message="a\0" + "x" * 9000,
            signal="9",
            peak_memory_bytes=-1,
            log_end=2**70,
        )
    )
    assert said is not None
    assert (said.reason, said.signal, said.peak_memory_bytes, said.log_end) == (
        "worker_lost",
        None,
        None,
        None,
    )
    assert said.message.startswith("a\N{REPLACEMENT CHARACTER}x")
    assert len(said.message) == 2000
