"""Heartbeats of the dispatcher and the reconciler.

Liveness probes read them, and so do explanations of waiting jobs, to report that the dispatcher is
down.
"""

import datetime as dt
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from jobs.models import LoopBeat, WebPause
from mimir.lib.clock import utc_now

KEEP = dt.timedelta(days=1)


def _note_start() -> None:
    """Store when this process started; a forked one starts at its fork."""
    global _started_at
    _started_at = utc_now()


_started_at: dt.datetime
_note_start()
os.register_at_fork(after_in_child=_note_start)


def instance_name() -> str:
    """Return the name of this process among those that run the same loop."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat_record(*, component: str, detail: Mapping[str, object] | None = None) -> None:
    """Record a heartbeat, then touch BEAT_FILE for the kubelet's probe."""
    LoopBeat.objects.update_or_create(
        component=component,
        instance=instance_name(),
        defaults={"beat_at": utc_now(), "started_at": _started_at, "detail": dict(detail or {})},
    )
    if settings.ENV.beat_file:
        Path(settings.ENV.beat_file).touch()


def beats_sweep() -> None:
    """Delete heartbeats of processes and pauses of web older than KEEP."""
    oldest = utc_now() - KEEP
    LoopBeat.objects.filter(beat_at__lt=oldest).delete()
    WebPause.objects.filter(to_at__lt=oldest).delete()
