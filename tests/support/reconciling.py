"""One pass of the reconciler and of its log-sealing thread."""

from jobs.clusters.launchers.base import Launcher
from jobs.logs.append import logs_seal
from jobs.models import Cluster
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.once import reconcile_once


def reconcile(cluster: Cluster, launcher: Launcher, known: KnownState | None = None) -> int:
    """Do a complete pass and seal closed logs; return the number of changed attempts and logs."""
    return reconcile_once(cluster, launcher, known) + logs_seal(limit=50)
