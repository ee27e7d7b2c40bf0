"""Messages about launching a worker, and about clusters and nodes that do not answer."""

from jobs.diagnosis.message import AGAIN, ANYWHERE, LESS, STARTS_BY_ITSELF, WAIT, Message, message

_CHECK_PATH = (
    "Nothing is lost, and nothing runs twice. If the problem persists, an administrator should"
    " check the cluster and the network path to it."
)

NOT_CONFIRMED = message(
    "cluster_unreachable",
    "the cluster has not confirmed the worker. The request is repeated.",
    _CHECK_PATH,
    "Check the cluster if the problem persists",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
NOT_ANSWERED = message(
    "cluster_unreachable.no_answer",
    "the cluster has not answered the launch request yet.",
    _CHECK_PATH,
    "Check the cluster if the problem persists",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
WORKERS_DISK_FULL = message(
    "unschedulable_disk.workers_dir",
    "the disk for workers is full or cannot be written.",
    "Nothing is lost. An administrator must free space on the disk that WORKERS_DIR names, or make"
    " it writable.",
    "Free space on the disk for workers",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
NOT_CALLED = message(
    "starting.not_called",
    "The worker's container runs. It has not called the orchestrator yet.",
    "This takes a moment. If the problem persists, an administrator should check the address at"
    " which workers reach the orchestrator (ORCHESTRATOR_URL) and the network policies.",
    WAIT,
)
NEVER_CALLED = message(
    "never_claimed",
    "Its container runs, but has not called the orchestrator.[ Its last lines: {last_lines}.]",
    "An administrator should check the address at which workers reach the orchestrator"
    " (ORCHESTRATOR_URL) and the network policies.",
    "Fix the connection from the workers to the orchestrator",
)
NO_DNS = message(
    "never_claimed.dns",
    "Its container runs, but cannot resolve the orchestrator's name: DNS does not work in its pod.",
    "An administrator should check the cluster's DNS (CoreDNS), network policies that block"
    " queries to it (port 53), and the address at which workers reach the orchestrator"
    " (ORCHESTRATOR_URL).",
    "Fix the DNS of the workers' pods",
)


def _elsewhere(base: Message) -> Message:
    """Return `base` for a job that requests this cluster or region: it also offers `ANYWHERE`."""
    first, *others = base.steps
    code = f"{base.code}.placed"
    return message(
        code,
        base.summary,
        base.detail,
        first,
        ANYWHERE,
        *others,
        waiting=base.waiting,
    )


HEARTBEAT_LOST = message(
    "heartbeat_lost",
    "The worker has been silent for {seconds:span}, and its cluster does not report its state.",
    "Ended after {seconds:span} without an answer from either. Not caused by the job. Nothing was"
    " written to the project. An administrator should check the cluster and the network path to"
    " it. The log may lack its last lines.",
    AGAIN,
    "Check the cluster",
)
CLUSTER_SILENT = message(
    "heartbeat_lost.cluster",
    "The cluster {cluster} has not answered since {since}, and the worker's last heartbeat was at"
    " {heard}.",
    HEARTBEAT_LOST.detail,
    AGAIN,
    "Check the cluster",
)
CLUSTER_SILENT_PLACED = _elsewhere(CLUSTER_SILENT)
HEARTBEAT_LOST_PLACED = _elsewhere(HEARTBEAT_LOST)
NEVER_STARTED_AWAY = message(
    "launch_timeout.cluster_away",
    "The cluster {cluster} has not answered since {since}, and the worker did not report within"
    " {seconds:span} of its admission.",
    "The work had not begun. An administrator should check the cluster and the network path to it.",
    AGAIN,
    "Check the cluster",
)
NEVER_STARTED_AWAY_PLACED = _elsewhere(NEVER_STARTED_AWAY)
LAUNCH_TIMEOUT = message(
    "launch_timeout.deadline",
    "The worker did not start before its Job's deadline, and the cluster does not report a cause.",
    "An administrator should check the cluster.",
    "Check the cluster",
)
FORBIDDEN = message(
    "cluster_forbidden",
    "the cluster does not accept the orchestrator's credentials.",
    "An administrator must grant the orchestrator permissions in the cluster. Nothing is lost: the"
    " request is repeated.",
    "Correct the orchestrator's credentials for the cluster",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
NO_PERMISSION = message(
    "cluster_forbidden.permission",
    'the cluster does not let "{user}" {verb} {resource}.',
    FORBIDDEN.detail,
    "Give {user} the right to {verb} {resource} (Role, RoleBinding)",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
_RAISED = "[ Attempt {failed_attempt} ran out of {failed_bytes:memory}.]"
NEVER_FITS = message(
    "never_fits",
    "Cannot start: requests {cpu} CPU and {memory_bytes:memory} of memory[ and {gpus} GPU], more"
    f" than any cluster has.{_RAISED}",
    "[The memory was raised after attempt {failed_attempt}, up to {max_bytes:memory} (memory_max)."
    " ]Request less, or ask an administrator to add a larger cluster.",
    LESS,
)
NEVER_FITS_CLUSTER = message(
    "never_fits.cluster",
    "Cannot start: requests {cpu} CPU and {memory_bytes:memory} of memory[ and {gpus} GPU], more"
    f" than the cluster {{cluster}} has.{_RAISED}",
    NEVER_FITS.detail,
    LESS,
    ANYWHERE,
)
NEVER_FITS_REGION = message(
    "never_fits.region",
    "Cannot start: requests {cpu} CPU and {memory_bytes:memory} of memory[ and {gpus} GPU], more"
    f" than any cluster in the region {{region}} has.{_RAISED}",
    NEVER_FITS.detail,
    LESS,
    ANYWHERE,
)
