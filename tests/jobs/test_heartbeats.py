"""Heartbeats of workers: one statement each, and a longer interval with very many workers."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.contract.protocol import HeartbeatResponse
from jobs.lifecycle import heartbeat_rate
from jobs.lifecycle.heartbeat_rate import heartbeat_seconds, interval
from jobs.lifecycle.report import heartbeat_record
from jobs.models import Attempt, UsageSample
from mimir.lib.errors import Gone
from tests.support import make


@pytest.mark.parametrize(
    ("live", "cancel_grace", "seconds"),
    [
        (0, 10, 2.0),
        (200, 10, 2.0),
        (300, 10, 3.0),
        (5_000, 10, 5.0),
        (5_000, 6, 3.0),
        (5_000, 0, 2.0),
    ],
)
def test_the_interval_grows_with_the_workers_up_to_half_of_a_cancel(
    live: int, cancel_grace: float, seconds: float
) -> None:
    assert interval(live, cancel_grace=cancel_grace) == seconds


@pytest.mark.django_db(transaction=True)
class TestStored:
    def test_a_heartbeat_is_one_statement(self) -> None:
        attempt = make.claimed()
        heartbeat_seconds()
        with CaptureQueriesContext(connection) as queries:
            answer = self._beat(attempt, peak=7)
        assert len(queries) == 1
        assert answer["cancel"] is False
        assert answer["heartbeat_seconds"] == 2.0
        before, attempt = attempt, Attempt.objects.get(id=attempt.id)
        assert before.heartbeat_at is not None
        assert attempt.heartbeat_at is not None
        assert attempt.heartbeat_at > before.heartbeat_at
        assert attempt.peak_memory_bytes == 7
        sample = UsageSample.objects.get(attempt=attempt)
        assert (sample.memory_bytes, sample.cpu_millicores) == (5, 3)

    def test_the_peak_never_falls(self) -> None:
        attempt = make.claimed()
        for peak in (9, 4):
            self._beat(attempt, peak=peak)
        attempt.refresh_from_db()
        assert attempt.peak_memory_bytes == 9

    @pytest.mark.parametrize("column", ["fenced_at", "ended_at"])
    def test_a_fenced_or_ended_attempt_is_refused_and_stores_nothing(self, column: str) -> None:
        attempt = make.claimed()
        Attempt.objects.filter(id=attempt.id).update(**{column: attempt.claimed_at})
        with pytest.raises(Gone):
            self._beat(attempt, peak=1)
        assert not UsageSample.objects.exists()

    def test_workers_are_counted_at_most_once_in_five_seconds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(heartbeat_rate, "_counted_at", float("-inf"))
        monkeypatch.setattr(heartbeat_rate, "_seconds", 2.0)
        monkeypatch.setattr(heartbeat_rate, "PER_SECOND", 0.25)
        make.claimed()
        assert heartbeat_seconds() == 4.0
        with CaptureQueriesContext(connection) as queries:
            assert heartbeat_seconds() == 4.0
        assert len(queries) == 0

    def _beat(self, attempt: Attempt, *, peak: int) -> HeartbeatResponse:
        return heartbeat_record(
            attempt_id=attempt.id, memory_bytes=5, peak_memory_bytes=peak, cpu_millicores=3
        )
