"""Why a worker on Kubernetes waits or died, as a pure function of what the cluster shows of it.

Law: plain JSON in, one `ClusterDiagnosis` out; nothing is asked of the cluster, no clock is read, and no input, however mutilated, makes it
raise. What it does not know it says in the cluster's own words. Nobody relies on labels: objects are told apart by kind, name and uid.
Imported by the launcher, the reconciler and what ends an attempt.
"""

from jobs.diagnosis.kubernetes.judging import (
    diagnose,
    diagnose_refusal,
    heartbeat_lost,
    never_claimed,
    never_started_away,
    no_answer,
    node_silent,
    not_allowed,
    not_answered_yet,
    not_called_yet,
    not_stored_yet,
)
from jobs.diagnosis.kubernetes.pods import placed_at, worker_runs
from jobs.diagnosis.kubernetes.reading import remember, remember_event, remember_job
from jobs.diagnosis.kubernetes.scene import is_suspended
from jobs.diagnosis.kubernetes.values import ClusterDiagnosis

__all__ = [
    "ClusterDiagnosis",
    "diagnose",
    "diagnose_refusal",
    "heartbeat_lost",
    "is_suspended",
    "never_claimed",
    "never_started_away",
    "no_answer",
    "node_silent",
    "not_allowed",
    "not_answered_yet",
    "not_called_yet",
    "not_stored_yet",
    "placed_at",
    "remember",
    "remember_event",
    "remember_job",
    "worker_runs",
]
