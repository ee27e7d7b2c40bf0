"""Messages about a worker that ends or ended: by itself, its limits, its node, a person."""

from jobs.diagnosis.message import AGAIN, Message, Step, message

NOTHING_WRITTEN = "Nothing was written to the project."
NOT_ITS_FAULT = f"Not caused by the job. {NOTHING_WRITTEN}"
_LAST_LINES_LOST = "The log may lack its last lines."
_CHECK_NODE = "Check the node"
_CHANGE = "Change and run again"

EVICTED_MEMORY = message(
    "evicted_memory",
    "Evicted: the node[ {node}] ran out of memory.",
    f"{NOT_ITS_FAULT} If it happens again, raise the workers' memory requests.",
    AGAIN,
    "Raise the workers' memory requests",
)
EVICTED_DISK = message(
    "evicted_disk",
    "Evicted: the node[ {node}] ran out of disk.",
    f"{NOT_ITS_FAULT} If it happens again, an administrator should free space on the node's disk.",
    AGAIN,
    "Free space on the node's disk",
)


def _evicted(cause: str, why: str) -> Message:
    return message(
        f"evicted{cause}",
        f"Evicted: the node[ {{node}}] {why}.",
        f"{NOT_ITS_FAULT} If it happens again, an administrator should check the node.",
        AGAIN,
        _CHECK_NODE,
    )


EVICTED_SHORTAGE = _evicted(".shortage", "ran out of {resource}")
EVICTED_REPORT = _evicted(".report", "reports: {report}")
EVICTED = _evicted("", "gives no reason")
REMOVED_BY_CLUSTER = message(
    "evicted.cluster",
    "The cluster removed the worker: {report}.",
    NOT_ITS_FAULT,
    AGAIN,
)


def _disk_limit(cause: str, what: str) -> Message:
    return message(
        f"evicted_disk_limit{cause}",
        f"Evicted: it wrote more to {what} than its limit[ of {{limit_bytes:memory}}].",
        f"Write less, or ask an administrator to raise the limit (WORKER_DATA_BYTES)."
        f" {NOTHING_WRITTEN}",
        "Write less to the disk",
        "Raise the limit (WORKER_DATA_BYTES)",
    )


DISK_LIMIT = _disk_limit("", "its disk")
DISK_LIMIT_OF_FOLDER = _disk_limit(".folder", 'its folder "{volume}"')


def _rejected(cause: str, why: str) -> Message:
    return message(
        f"node_rejected{cause}",
        f"The node[ {{node}}] rejected the worker that the scheduler assigned to it: {why}.",
        f"{NOT_ITS_FAULT} It never started. Another node, or the same node later, can take it.",
        AGAIN,
        _CHECK_NODE,
    )


REJECTED_SHORTAGE = _rejected(".shortage", "it does not have enough {resource}")
REJECTED = _rejected("", "{report}")


def _preempted(cause: str, why: str) -> Message:
    return message(
        f"preempted{cause}",
        f"Preempted: {why}[ on node {{node}}].",
        f"{NOT_ITS_FAULT} A higher priority class, or one more node, prevents this.",
        AGAIN,
        "Add a node, or give jobs of this priority a higher priority class",
    )


PREEMPTED = _preempted("", "a pod of higher priority took its capacity")
PREEMPTED_BY_CRITICAL = _preempted(".critical", "a pod critical to its node took its capacity")
EVICTED_BY_REQUEST = message(
    "evicted_by_request",
    "Evicted by request[ from node {node}]: a person or an autoscaler drained the node.",
    NOT_ITS_FAULT,
    AGAIN,
)
NODE_SHUTDOWN = message("node_shutdown", "Its node[ {node}] was shut down.", NOT_ITS_FAULT, AGAIN)
NODE_SILENT = message(
    "node_lost.waiting",
    "Its node[ {node}] does not answer.",
    "If the node returns, the worker continues. Otherwise the cluster removes it after some"
    " minutes.",
    _CHECK_NODE,
)
_NODE_LOST_DETAIL = f"{NOT_ITS_FAULT} An administrator should check the node. {_LAST_LINES_LOST}"
NODE_LOST = message(
    "node_lost",
    "Its node[ {node}] was lost: it stopped answering, or is gone, and the cluster abandoned its"
    " pods.",
    _NODE_LOST_DETAIL,
    AGAIN,
    _CHECK_NODE,
)
NODE_SILENT_TOO_LONG = message(
    "node_lost.silent",
    "Its node[ {node}] does not answer, and the worker sent no heartbeat within the cluster's grace"
    " period.",
    _NODE_LOST_DETAIL,
    AGAIN,
    _CHECK_NODE,
)
STATUS_UNKNOWN = message(
    "node_lost.status_unknown",
    "Its node[ {node}] was lost: it stopped answering, or restarted, and does not know how the"
    " worker ended.",
    _NODE_LOST_DETAIL,
    AGAIN,
    _CHECK_NODE,
)


def _deleted(cause: str, what: str) -> Message:
    return message(
        f"deleted_by_hand{cause}",
        f"The worker's {what} from outside, by a person or a program.",
        f"{NOT_ITS_FAULT} {_LAST_LINES_LOST}",
        AGAIN,
        "Find out who deletes the workers, if it happens again",
    )


POD_DELETED = _deleted("", "pod was deleted")
POD_BEING_DELETED = _deleted(".ending", "pod is being deleted")
JOB_DELETED = _deleted(".job", "Job was deleted")
JOB_BEING_DELETED = _deleted(".job_ending", "Job is being deleted")
VANISHED = message(
    "vanished",
    "The worker vanished from the cluster, which does not report a cause.",
    f"{NOT_ITS_FAULT} {_LAST_LINES_LOST}",
    AGAIN,
    "Find out what deletes the workers' pods, if it happens again",
)


def _deadline(cause: str, verb: str) -> Message:
    return message(
        f"deadline_exceeded.{cause}",
        f"{verb} after its time limit[ of {{limit_seconds:span}}].",
        f"Raise timeout_seconds, request more CPU, or read less data. {NOTHING_WRITTEN}",
        "Raise timeout_seconds",
        AGAIN,
    )


DEADLINE_EXCEEDED = _deadline("job", "Stopped")
DEADLINE_ENDING = _deadline("job_ending", "Being stopped")

POD_FAILED = message(
    "worker_lost.pod_failed",
    "The worker's pod failed: {report}.",
    f"{NOT_ITS_FAULT} An administrator should read the cluster's report.",
    AGAIN,
    _CHECK_NODE,
)
POD_FAILED_WITHOUT_REASON = message(
    "worker_lost.no_reason",
    "The worker's pod failed, and the cluster does not report a cause.",
    POD_FAILED.detail,
    AGAIN,
    _CHECK_NODE,
)
_OOM_DETAIL = (
    "The kernel killed it (OOMKilled, exit code {exit_code}). Request more memory, or read less at"
    f" once. {NOTHING_WRITTEN}"
)
OUT_OF_MEMORY = message(
    "out_of_memory.killed",
    "Ran out of memory. Its limit is {limit}.",
    _OOM_DETAIL,
    Step("Run again with {more_bytes:memory}", {"resources": {"memory": "{more}"}}),
    "Read fewer rows or columns",
)
OUT_OF_MEMORY_LIMIT_UNKNOWN = message(
    "out_of_memory.limit_unknown",
    "Ran out of memory. It used more than its limit.",
    _OOM_DETAIL,
    "Request more memory",
    "Read fewer rows or columns",
)
KILLED = message(
    "worker_lost.killed",
    "The worker was {verb} by signal {signal}[ ({signal_name})], exit code {exit_code}: from"
    " outside, and not by its memory limit (reason {state}, not OOMKilled).",
    "A process or person on the node[ {node}] sent the signal: the node's memory shortage, its"
    f" container runtime, or a person. {NOT_ITS_FAULT} Run again. If it happens again, an"
    " administrator should check the node.[ Its last lines: {last_lines}]",
    AGAIN,
    _CHECK_NODE,
)
CRASHED = message(
    "signal.crashed",
    "The worker was ended by signal {signal}[ ({signal_name})]: {meaning}.",
    "Native code of the command or of a library caused this, not Mimir."
    f" {NOTHING_WRITTEN}[ Its last lines: {{last_lines}}]",
    _CHANGE,
    AGAIN,
)
NOT_A_WORKER = message(
    "bad_command.not_a_worker",
    "The image {image} ended with exit code {exit_code} and did not claim the job[: {last_lines}].",
    "It is not Mimir's worker image, or it has another command. The job itself never ran. An"
    " administrator must correct WORKER_IMAGE. Retrying does not help.",
    "Correct the image (WORKER_IMAGE)",
)
ENDED_BEFORE_CLAIM = message(
    "launch_failed.before_claim",
    "The worker ended with exit code {exit_code} before it claimed the job (image {image})"
    "[: {last_lines}].",
    "The job itself never ran. If it happens again, an administrator should check the worker's"
    " image (WORKER_IMAGE) and its last lines.",
    AGAIN,
    "Check the worker's image (WORKER_IMAGE)",
)
CLAIM_UNKNOWN = message(
    "worker_lost.claim_unknown",
    "The worker ended, and this database has no record that it claimed the job.",
    f"The database may have been restored from a backup. {NOT_ITS_FAULT}",
    AGAIN,
)
EXIT_CODE = message(
    "exit_code.worker",
    "The worker ended with exit code {exit_code}[: {last_lines}].",
    f"Check the log, correct the input or the definition, and run again. {NOTHING_WRITTEN}",
    _CHANGE,
    AGAIN,
)
