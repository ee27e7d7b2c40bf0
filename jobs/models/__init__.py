"""Database rows of jobs. `lifecycle`, `admission`, `dispatch`, `reconcile` and `logs` write them.

Lock order everywhere: the admission lock, then the Job, then the Attempt. Appending to a log locks
the Attempt only.
"""

from jobs.models.attempt import Attempt, UsageSample
from jobs.models.cluster import Cluster, ModelCache, StartWindow
from jobs.models.expressions import (
    SQL_TITLES,
    id_from_its_end,
    producer,
    title_parts,
)
from jobs.models.job import Job
from jobs.models.job_search import JobSearch
from jobs.models.limit import Limit
from jobs.models.loops import Lease, LoopBeat, WebPause, WebUptime
from jobs.models.metric import Metric, MetricDelta, MetricTotal
from jobs.models.records import (
    ARTIFACTS,
    Artifact,
    DismissedFailure,
    JobEvent,
    JobInput,
    JobOutput,
    LogChunk,
)

__all__ = [
    "ARTIFACTS",
    "SQL_TITLES",
    "Artifact",
    "Attempt",
    "Cluster",
    "DismissedFailure",
    "Job",
    "JobEvent",
    "JobInput",
    "JobOutput",
    "JobSearch",
    "Lease",
    "Limit",
    "LogChunk",
    "LoopBeat",
    "Metric",
    "MetricDelta",
    "MetricTotal",
    "ModelCache",
    "StartWindow",
    "UsageSample",
    "WebPause",
    "WebUptime",
    "id_from_its_end",
    "producer",
    "title_parts",
]
