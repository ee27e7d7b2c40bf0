"""Why a worker ended, from what its cluster kept of it."""

from collections.abc import Iterator
from typing import Any

from jobs.contract import FailureReason
from jobs.reconcile.decide import Action, Verb, WorkerState
from jobs.reconcile.observe import with_last_lines
from tests.jobs.attempt_examples import LAUNCHED


class _Log:
    """A launcher with only the log of a worker."""

    def __init__(self, *pieces: bytes, error: OSError | None = None) -> None:
        self._pieces, self._error = pieces, error

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> Iterator[bytes]:
        yield from self._pieces
        if self._error is not None:
            raise self._error


def _message(log: _Log) -> str:
    launcher: Any = log
    ended = Action(Verb.END, FailureReason.NEVER_CLAIMED, "as before")
    _state, action = with_last_lines(LAUNCHED, WorkerState(alive=True), launcher, ended)
    return action.message


def test_the_last_lines_of_a_long_log_explain_why_a_worker_never_claimed() -> None:
    first = b"retrying\n" * 30_000
    assert "certificate" in _message(_Log(first, b"first line\nbad certi", b"ficate of web\n"))


def test_a_log_that_cannot_be_read_leaves_the_message() -> None:
    assert _message(_Log(b"some lines\n", error=OSError("no answer"))) == "as before"
