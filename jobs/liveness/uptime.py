"""Uptime and pauses of web: the clocks for silent workers and for workers that do not claim.

Each web process sends heartbeats from its start or first request. A heartbeat is a database write
by the process that answers workers: a web process without a database does not count as up. Neither
does an overloaded one, which refuses claims or lets them wait.
"""

import datetime as dt

from django.db import connection

from jobs.liveness.paused import Pause

BEAT_SECONDS = 2.0
GAP_SECONDS = 10.0  # a longer gap between heartbeats, or a negative one, counts as downtime
SETTLE_SECONDS = (
    # After a gap or an overload nothing counts for this long: a worker's request may hang for 30 s
    # and be retried.
    60.0
)
NEAR_SECONDS = 1.0  # closer heartbeats, of several web processes, are ignored


def web_beat(overloaded_seconds: float = 0.0) -> None:
    """Record a heartbeat of a web process by the database's clock; a gap adds no uptime.

    overloaded_seconds: how long ago the overload began that this process noticed since its last
    heartbeat; 0 for none.
    """
    facts = {
        "gap": GAP_SECONDS,
        "settle": SETTLE_SECONDS,
        "near": NEAR_SECONDS,
        "overloaded": overloaded_seconds,
    }
    with connection.cursor() as cursor:
        if overloaded_seconds > 0:  # recorded first, and harmless if it is recorded twice
            cursor.execute(_OVERLOADED, facts)
        cursor.execute(_BEAT, facts)


def web_pauses(since: dt.datetime) -> list[Pause]:
    """Return the pauses of web that ended after `since`, and one that has not ended yet."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSES, {"since": since, "gap": GAP_SECONDS})
        return [Pause(*row) for row in cursor.fetchall()]


# The row is locked before the clock is read: heartbeats are in the order of their times.
_BEAT = """
WITH old AS MATERIALIZED (
    SELECT beat_at FROM jobs_webuptime WHERE name = 'web' FOR NO KEY UPDATE
), moment AS MATERIALIZED (
    SELECT old.beat_at AS before, clock_timestamp() AS at FROM (SELECT 1) AS one
    LEFT JOIN old ON true
), down AS (
    INSERT INTO jobs_webpause (cause, from_at, to_at)
    SELECT 'down', before, at FROM moment WHERE at > before + make_interval(secs => %(gap)s)
)
INSERT INTO jobs_webuptime AS web (name, beat_at, up_since, counted_seconds)
SELECT 'web', at, at, 0 FROM moment
ON CONFLICT (name) DO UPDATE SET
    beat_at = excluded.beat_at,
    up_since = CASE
        WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
            AND %(overloaded)s <= 0
        THEN web.up_since ELSE excluded.beat_at END,
    counted_seconds = web.counted_seconds + CASE
        WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
            AND %(overloaded)s <= 0
            AND web.beat_at >= web.up_since + make_interval(secs => %(settle)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at) ELSE 0 END
WHERE abs(extract(epoch FROM excluded.beat_at - web.beat_at)) >= %(near)s OR %(overloaded)s > 0
"""
# A long overload is one row: the last one grows if the new interval touches it.
_OVERLOADED = """
WITH pause AS MATERIALIZED (
    SELECT at - make_interval(secs => %(overloaded)s) AS from_at, at AS to_at
    FROM (SELECT clock_timestamp() AS at) AS moment
), grown AS (
    UPDATE jobs_webpause AS last SET
        from_at = least(last.from_at, pause.from_at), to_at = greatest(last.to_at, pause.to_at)
    FROM pause WHERE last.id = (
        SELECT max(id) FROM jobs_webpause
        WHERE cause = 'overloaded' AND to_at >= pause.from_at AND from_at <= pause.to_at
    )
    RETURNING last.id
)
INSERT INTO jobs_webpause (cause, from_at, to_at)
SELECT 'overloaded', from_at, to_at FROM pause WHERE NOT EXISTS (SELECT FROM grown)
"""
# While web is down, its last heartbeat begins a pause that no row has yet.
_PAUSES = """
SELECT from_at, to_at FROM jobs_webpause WHERE to_at > %(since)s
UNION ALL
SELECT beat_at, at FROM jobs_webuptime, (SELECT clock_timestamp() AS at) AS moment
WHERE at > beat_at + make_interval(secs => %(gap)s)
"""
