"""Why a worker on Kubernetes waits or ended, as a pure function of the cluster's objects.

Plain JSON in, one `Diagnosis` out. It sends no requests to the cluster, reads no clock and never
raises on incomplete or malformed objects. An unknown cause is reported in the cluster's own words.
Objects are identified by kind, name and uid, not by labels.
"""

from jobs.diagnosis.kubernetes.cause import Diagnosis
from jobs.diagnosis.kubernetes.diagnose import diagnose
from jobs.diagnosis.kubernetes.known_causes import (
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
from jobs.diagnosis.kubernetes.pods import placed_at, started_at, worker_runs
from jobs.diagnosis.kubernetes.reduced import reduce_event, reduce_job, reduce_pod
from jobs.diagnosis.kubernetes.worker_objects import is_suspended

__all__ = [
    "Diagnosis",
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
    "reduce_event",
    "reduce_job",
    "reduce_pod",
    "started_at",
    "worker_runs",
]
