"""The lease uses the database's clock. A wrong local clock neither extends nor steals it."""

import datetime as dt

import psycopg
import pytest
from django.db import connection

from jobs.reconcile import lease
from jobs.reconcile.lease import lease_release, lease_take
from mimir.lib import clock
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def _take(holder: str, seconds: float = 60) -> bool:
    return lease_take(name="test", holder=holder, seconds=seconds)


def test_one_holds_it_and_the_other_does_not() -> None:
    assert (_take("a"), _take("b"), _take("a")) == (True, False, True)


def test_an_expired_lease_passes_to_another_holder() -> None:
    assert _take("a", seconds=0.01)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
    assert _take("b")


def test_a_released_lease_passes_on_at_once() -> None:
    _take("a")
    lease_release(name="test", holder="a")
    assert _take("b")


def test_a_clock_that_is_an_hour_ahead_takes_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    _take("a")
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    monkeypatch.setattr(clock, "utc_now", lambda: ahead)
    monkeypatch.setattr(lease, "utc_now", lambda: ahead, raising=False)
    assert _take("b") is False


def _other_session() -> psycopg.Connection[tuple[int]]:
    """Open a second session of the database, like the process of another holder."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return psycopg.connect(**{name: parameters[name] for name in names if name in parameters})


def _held_by(session_pid: int | None) -> None:
    assert _take("a")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_lease SET session_pid = %s", [session_pid])


def test_it_passes_on_at_once_when_the_session_of_its_holder_has_ended() -> None:
    with _other_session() as session:
        _held_by(session.info.backend_pid)
        assert not _take("b")
    wait_for(lambda: _take("b"), "it is free", 10)
    assert not _take("a")


def test_it_does_not_pass_on_early_when_its_holder_runs_an_earlier_release() -> None:
    _held_by(None)
    assert not _take("b")
