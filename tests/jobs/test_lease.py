"""The lease uses the database's clock; a wrong local clock neither keeps nor takes it."""

import datetime as dt

import pytest
from django.db import connection

from jobs.reconcile import lease
from jobs.reconcile.lease import lease_release, lease_take
from mimir.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def _take(holder: str, seconds: float = 60) -> bool:
    return lease_take(name="test", holder=holder, seconds=seconds)


def test_one_holds_it_and_the_other_does_not() -> None:
    assert (_take("a"), _take("b"), _take("a")) == (True, False, True)


def test_it_passes_on_when_it_has_expired() -> None:
    assert _take("a", seconds=0.01)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
    assert _take("b")


def test_it_passes_on_at_once_when_it_is_let_go() -> None:
    _take("a")
    lease_release(name="test", holder="a")
    assert _take("b")


def test_a_clock_that_is_an_hour_ahead_takes_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    _take("a")
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    monkeypatch.setattr(clock, "utc_now", lambda: ahead)
    monkeypatch.setattr(lease, "utc_now", lambda: ahead, raising=False)
    assert _take("b") is False
