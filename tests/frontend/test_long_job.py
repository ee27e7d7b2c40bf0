"""A job that has waited for a long time: many attempts, and more events than one page displays."""

from typing import Any

from mimir.frontend.pages.job.present import LOGS_OFFERED, attempts_with_log
from mimir.frontend.pages.job.views import _attempts, _events

JOB = "11111111-1111-1111-1111-111111111111"


class _Client:
    """API client with this number of rows, in pages of at most `limit`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[str] = []

    def get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(path)
        at = int(path.rpartition("@")[2]) if "@" in path else 0
        after = (query or {}).get("after", at)
        first = self.count + after if after < 0 else after
        size = (query or {}).get("limit", 1000 if "events" in path else 200)
        rows = list(range(max(first, 0), min(max(first, 0) + size, self.count)))
        return {
            "results": rows,
            "next": f"{path.partition('@')[0]}@{rows[-1] + 1}"
            if rows and rows[-1] + 1 < self.count
            else None,
        }


def test_every_attempt_is_read() -> None:
    client = _Client(730)
    assert _attempts(JOB, client)["results"] == list(range(730))  # type: ignore[arg-type]
    assert len(client.asked) == 4


def test_the_last_of_very_many_events_are_read() -> None:
    assert _events(JOB, _Client(12_345))["results"] == list(range(7_345, 12_345))  # type: ignore[arg-type]
    assert _events(JOB, _Client(7))["results"] == list(range(7))  # type: ignore[arg-type]


def _tried(number: int, *, ran: bool, current: bool = False) -> dict[str, Any]:
    return {
        "number": number,
        "claimed_at": "2026-11-25T07:18:00+00:00" if ran else None,
        "current": current,
    }


def test_the_logs_that_are_offered_are_of_attempts_that_ran_and_of_the_one_that_is_shown() -> None:
    tries = [
        _tried(1, ran=True),
        *(_tried(number, ran=False) for number in range(2, 50)),
        _tried(50, ran=False, current=True),
    ]
    assert [one["number"] for one in attempts_with_log(tries, 50)] == [1, 50]
    assert [one["number"] for one in attempts_with_log(tries, 7)] == [1, 7, 50]
    many = [_tried(number, ran=True, current=number == 99) for number in range(1, 100)]
    shown = [one["number"] for one in attempts_with_log(many, 3)]
    assert shown == [3, *range(100 - LOGS_OFFERED, 100)]
