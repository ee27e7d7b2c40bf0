"""Rows that processes write about themselves: who leads, who beats, for how long web has answered."""

from django.db import models


class Lease(models.Model):
    """Who leads a loop that only one process should run. Expiry is by the database's clock."""

    name = models.CharField(max_length=63, primary_key=True)
    holder = models.CharField(max_length=100)
    expires_at = models.DateTimeField()


class LoopBeat(models.Model):
    """The last heartbeat of one loop of one process: its liveness, and whether the dispatcher is away."""

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
    """For how long web has been up, as a count that only grows: what the silence of workers is measured in. One row, `web`.

    Every web process beats it. Counted is what lies between two beats that are close enough, from a settling time after each gap on: so
    workers have the time to get through again. No clock is compared with another machine's, and a step of the database's is a gap.
    """

    name = models.CharField(max_length=16, primary_key=True)
    beat_at = models.DateTimeField()
    up_since = models.DateTimeField()  # the first beat after the last gap
    counted_seconds = models.FloatField()
