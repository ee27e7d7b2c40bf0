"""Lease of a loop that one process leads: a row, by the database's clock.

It only prevents duplicate work: each write of a reconciler is safe without it.
"""

from django.db import connection

RECONCILER = "reconciler"


def lease_take(*, name: str, holder: str, seconds: float) -> bool:
    """Take the lease, or renew it if `holder` has it; False while another process holds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO jobs_lease AS lease (name, holder, expires_at)
            VALUES (%(name)s, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s))
            ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder,
                expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
            WHERE lease.holder = excluded.holder OR lease.expires_at < clock_timestamp()
            """,
            {"name": name, "holder": holder, "seconds": seconds},
        )
        return bool(cursor.rowcount)


def lease_release(*, name: str, holder: str) -> None:
    """Release the lease: the next process can take it at once."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_lease WHERE name = %s AND holder = %s", [name, holder])
