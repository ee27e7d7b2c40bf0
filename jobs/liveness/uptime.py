"""Accumulated uptime of web, the clock for the silence of workers.

Each web process sends heartbeats from its start or first request. A heartbeat is a database write
by the process that answers workers: a web process without a database does not count as up.
"""

from django.db import connection

BEAT_SECONDS = 2.0
GAP_SECONDS = 10.0  # a longer gap between heartbeats, or a negative one, counts as downtime
SETTLE_SECONDS = (
    # After a gap nothing counts for this long: a worker's request may hang for 30 s and be retried.
    60.0
)
NEAR_SECONDS = 1.0  # closer heartbeats, of several web processes, are ignored


def web_beat() -> None:
    """Record a heartbeat of a web process by the database's clock; a gap adds no uptime."""
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, {"gap": GAP_SECONDS, "settle": SETTLE_SECONDS, "near": NEAR_SECONDS})


_BEAT = """
INSERT INTO jobs_webuptime AS web (name, beat_at, up_since, counted_seconds)
VALUES ('web', clock_timestamp(), clock_timestamp(), 0)
ON CONFLICT (name) DO UPDATE SET
    beat_at = excluded.beat_at,
    up_since = CASE
        WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
        THEN web.up_since ELSE excluded.beat_at END,
    counted_seconds = web.counted_seconds + CASE
        WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
            AND web.beat_at >= web.up_since + make_interval(secs => %(settle)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at) ELSE 0 END
WHERE abs(extract(epoch FROM excluded.beat_at - web.beat_at)) >= %(near)s
"""
