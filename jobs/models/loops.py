"""Rows that our own processes write: leader lease, heartbeats, uptime and pauses of web."""

from django.db import models


class Lease(models.Model):
    """Lease of the leader of a loop that only one process runs. Expires by the database's clock.

    `session_pid`: process id of the holder's PostgreSQL session. Null: set by an earlier release.
    """

    name = models.CharField(max_length=63, primary_key=True)
    holder = models.CharField(max_length=100)
    session_pid = models.IntegerField(null=True)
    expires_at = models.DateTimeField()


class LoopBeat(models.Model):
    """Last heartbeat of one loop in one process.

    Read by liveness probes, and to detect that the dispatcher is down.
    """

    component = models.CharField(max_length=32)
    instance = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("component", "instance"), name="beat_once_per_instance"
            ),
        )


class WebUptime(models.Model):
    """Accumulated uptime of web: the clock for the silence of workers. One row, `web`.

    Every web process sends heartbeats. The time between two close heartbeats counts, except for a
    settling time after each gap in which workers reconnect. Clocks of different machines are never
    compared, and a step of the database's clock is a gap.
    """

    name = models.CharField(max_length=16, primary_key=True)
    beat_at = models.DateTimeField()
    up_since = models.DateTimeField()  # first heartbeat after the last gap
    counted_seconds = models.FloatField()


class WebPause(models.Model):
    """An interval in which web did not serve claims, by the database's clock.

    `cause`: `down` (no heartbeat of web) or `overloaded` (claims were refused or waited). Intervals
    of several web processes can overlap.
    """

    cause = models.CharField(max_length=16)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
