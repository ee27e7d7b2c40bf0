"""Virtual time that Python and PostgreSQL share."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.signals import connection_created
from django.utils import timezone

import mimir.lib.clock

_FUNCTIONS = ("now", "statement_timestamp", "transaction_timestamp", "clock_timestamp")


class VirtualClock:
    """Clock in Unix seconds that only a test advances."""

    def __init__(self, now: float) -> None:
        self.now = now

    def utc_now(self) -> dt.datetime:
        """Return the virtual time. Replaces every `utc_now`."""
        return dt.datetime.fromtimestamp(self.now, dt.UTC)

    def advance_to(self, now: float) -> None:
        """Set the time to `now`, here and in the database."""
        self.now = now
        self.apply()

    def apply(self, **_signal: object) -> None:
        """Set the time, and the functions that return it, for this session.

        The product may open a new session at any time.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = virtual, public, pg_catalog")
            cursor.execute("SELECT set_config('mimir.now', %s, false)", [repr(self.now)])


@contextmanager
def virtual_time(clock: VirtualClock) -> Iterator[None]:
    """Replace `utc_now`, Django's `now` and the clock functions of the session by `clock`."""
    real, django_real = mimir.lib.clock.utc_now, timezone.now
    patched = [
        module for module in list(sys.modules.values()) if getattr(module, "utc_now", None) is real
    ]
    try:
        for module in patched:
            module.utc_now = clock.utc_now  # type: ignore[attr-defined]
        timezone.now = clock.utc_now
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS virtual")
            for name in _FUNCTIONS:
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION virtual.{name}() RETURNS timestamptz LANGUAGE "
                    "sql STABLE AS "
                    "$$ SELECT to_timestamp(current_setting('mimir.now')::float8) $$"
                )
        connection_created.connect(clock.apply)
        clock.advance_to(clock.now)
        yield
    finally:
        connection_created.disconnect(clock.apply)
        for module in patched:
            module.utc_now = real  # type: ignore[attr-defined]
        timezone.now = django_real
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO DEFAULT")
            cursor.execute("DROP SCHEMA virtual CASCADE")
