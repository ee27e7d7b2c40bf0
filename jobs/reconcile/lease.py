"""Lease by which one process leads a loop: a row that expires by the database's clock.

It only prevents duplicate work: each write of a reconciler is safe without it. The row names the
database session of its holder. If that session has ended, the holder has ended or has lost its
connection: the lease is free before it expires.
"""

from django.db import connection

RECONCILER = "reconciler"


def lease_take(*, name: str, holder: str, seconds: float) -> bool:
    """Take the lease, or renew it if `holder` has it; False while another process holds it.

    Call it on a connection that stays open: the lease is released when the connection closes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO jobs_lease AS lease (name, holder, session_pid, expires_at)
            VALUES (%(name)s, %(holder)s, pg_backend_pid(),
                clock_timestamp() + make_interval(secs => %(seconds)s))
            ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder,
                session_pid = excluded.session_pid,
                expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
            WHERE lease.holder = excluded.holder OR lease.expires_at < clock_timestamp()
                OR (lease.session_pid IS NOT NULL AND NOT EXISTS (
                    SELECT FROM pg_stat_activity WHERE pid = lease.session_pid))
            """,
            {"name": name, "holder": holder, "seconds": seconds},
        )
        return bool(cursor.rowcount)


def lease_release(*, name: str, holder: str) -> None:
    """Release the lease: the next process can take it at once."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_lease WHERE name = %s AND holder = %s", [name, holder])
