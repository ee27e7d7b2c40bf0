"""One virtual time for Python and PostgreSQL."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

import mimir.lib.clock

_FUNCTIONS = ("now", "statement_timestamp", "transaction_timestamp", "clock_timestamp")


class VirtualClock:
    """Unix seconds that go on only when told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def utc_now(self) -> dt.datetime:
        """Stands in for every `utc_now`."""
        return dt.datetime.fromtimestamp(self.now, dt.UTC)

    def advance_to(self, now: float) -> None:
        """Let it be `now`, here and in the database."""
        self.now = now
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('mimir.now', %s, false)", [repr(now)])


@contextmanager
def virtual_time(clock: VirtualClock) -> Iterator[None]:
    """Every `utc_now` of the product, Django's own `now` and this session's clock functions tell `clock`'s time."""
    real, django_real = mimir.lib.clock.utc_now, timezone.now
    patched = [module for module in list(sys.modules.values()) if getattr(module, "utc_now", None) is real]
    try:
        for module in patched:
            module.utc_now = clock.utc_now  # type: ignore[attr-defined]
        timezone.now = clock.utc_now
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS virtual")
            for name in _FUNCTIONS:
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION virtual.{name}() RETURNS timestamptz LANGUAGE sql STABLE AS "
                    "$$ SELECT to_timestamp(current_setting('mimir.now')::float8) $$"
                )
            cursor.execute("SET search_path = virtual, public, pg_catalog")
        clock.advance_to(clock.now)
        yield
    finally:
        for module in patched:
            module.utc_now = real  # type: ignore[attr-defined]
        timezone.now = django_real
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO DEFAULT")
            cursor.execute("DROP SCHEMA virtual CASCADE")
