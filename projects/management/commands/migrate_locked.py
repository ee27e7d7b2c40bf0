"""`manage.py migrate_locked`: apply the migrations, one process at a time.

Every replica can run it at its start.
"""

import time
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

LOCK = 0x4D494D495241  # an arbitrary number for this lock: "MIMIRA" in ASCII
REST_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Wait for the database, then apply the migrations under a lock."
        " Of several processes, one applies them and the others find them applied."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait-seconds",
            type=float,
            default=600.0,
            help="maximum time to wait for the database",
        )

    def handle(self, *_args: object, **options: Any) -> None:
        _wait(options["wait_seconds"])
        # The migrating session holds the lock. If it is killed, PostgreSQL releases the lock and
        # rolls back the migration.
        _lock()
        try:
            call_command("migrate", interactive=False, verbosity=0)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        self.stdout.write("The migrations are applied.")


def _lock() -> None:
    """Take the lock by polling.

    A session that waits in `pg_advisory_lock` holds a snapshot, for which CREATE INDEX CONCURRENTLY
    waits.
    """
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if cursor.fetchone()[0]:
                return
        time.sleep(REST_SECONDS)


def _wait(seconds: float) -> None:
    """Wait until the database answers. Raises: CommandError after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        try:
            connection.ensure_connection()
        except Error as error:
            connection.close()
            if time.monotonic() >= until:
                raise CommandError(
                    f"The database does not answer ({type(error).__name__})."
                    " Check DATABASE_URL and the server."
                ) from error
            time.sleep(REST_SECONDS)
        else:
            return
