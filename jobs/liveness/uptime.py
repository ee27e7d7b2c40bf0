"""For how long web has been up: what the silence of workers is measured in. Each web process beats, from the first request or start on.

A beat is a write by the process that answers workers, so that a web which cannot reach the database does not count as up.
"""

from django.db import connection

BEAT_SECONDS = 2.0
GAP_SECONDS = (
    10.0  # between two beats of any web: longer, or backwards, and nobody answered in between
)
SETTLE_SECONDS = (
    60.0  # after a gap: a worker's request may hang for 30 s, and it pauses between its tries
)
NEAR_SECONDS = 1.0  # another web has just beaten, or two of them beat at once


def web_beat() -> None:
    """Record that a web process is up, by the database's clock; the gap before it counts nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, {"gap": GAP_SECONDS, "settle": SETTLE_SECONDS, "near": NEAR_SECONDS})


_BEAT = """
INSERT INTO jobs_webuptime AS web (name, beat_at, up_since, counted_seconds)
VALUES ('web', clock_timestamp(), clock_timestamp(), 0)
ON CONFLICT (name) DO UPDATE SET
    beat_at = excluded.beat_at,
    up_since = CASE WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
        THEN web.up_since ELSE excluded.beat_at END,
    counted_seconds = web.counted_seconds + CASE
        WHEN excluded.beat_at BETWEEN web.beat_at AND web.beat_at + make_interval(secs => %(gap)s)
            AND web.beat_at >= web.up_since + make_interval(secs => %(settle)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at) ELSE 0 END
WHERE abs(extract(epoch FROM excluded.beat_at - web.beat_at)) >= %(near)s
"""
