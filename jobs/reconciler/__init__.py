"""The reconciler: reads the rows, looks at the cluster, reads the rows again, and moves each attempt one step.

Level-triggered: it works from what is, not from what it was told; a change on the cluster only makes it look sooner. `reconcile_once` is
one pass over one cluster; two of them at the same time are harmless. `run` leads, or waits to: a thread for each cluster.
"""

from jobs.reconciler.loop import run
from jobs.reconciler.memory import Memory
from jobs.reconciler.once import reconcile_once

__all__ = ["Memory", "reconcile_once", "run"]
