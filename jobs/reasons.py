"""Policy of each failure reason: who caused it, whether it is retried, who acts, how to fix it.

Pure. A new reason needs a member of `jobs.contract.FailureReason`, a row of `REASONS` here, and a
rule in `jobs.diagnosis` that reports it. A test checks that every member has a row.
"""

from dataclasses import dataclass
from enum import StrEnum

from jobs.contract import FailureReason


class Origin(StrEnum):
    """Part of the system that causes a failure."""

    JOB = "job"  # the definition, the data, or the user's request
    CLUSTER = "cluster"  # reported by a cluster's diagnosis only
    PLATFORM = "platform"  # Mimir, its storage, or the machine of its workers


class Retry(StrEnum):
    """Retry policy after an attempt that ended with a reason."""

    FINAL = "final"  # a retry cannot help: the job fails at once
    COUNTED = "counted"  # retried up to the job's `max_attempts`
    INFRASTRUCTURE = "infrastructure"  # retried up to INFRASTRUCTURE_RETRIES, not counted
    SHORTAGE = "shortage"  # no capacity, answer or permission: retried without limit, not counted


class Actor(StrEnum):
    """Person who must act before a retry helps."""

    NOBODY = "nobody"  # a retry, or waiting, is enough
    USER = "user"  # change the request, the definition or the data
    ADMINISTRATOR = "administrator"
    EITHER = "either"  # an administrator fixes the cause, a user can work around it


@dataclass(frozen=True, slots=True)
class Reason:
    """Policy and remedy of one failure reason.

    `is_wait`: a worker can wait for it and still start. `retry_launch`: a launch that the cluster
    refused for it is retried. `remedy`: one sentence for overviews of many jobs.
    """

    origin: Origin
    retry: Retry
    actor: Actor
    remedy: str
    is_wait: bool = False
    retry_launch: bool = False

    @property
    def counts(self) -> bool:
        """Whether an attempt that ended with this reason uses up one of the user's attempts."""
        final = self.retry is Retry.FINAL and self.origin is not Origin.CLUSTER
        return final or self.retry is Retry.COUNTED


def _job(remedy: str, retry: Retry = Retry.COUNTED, actor: Actor = Actor.USER) -> Reason:
    return Reason(Origin.JOB, retry, actor, remedy)


def _platform(
    remedy: str,
    retry: Retry = Retry.INFRASTRUCTURE,
    actor: Actor = Actor.ADMINISTRATOR,
    *,
    is_wait: bool = False,
) -> Reason:
    return Reason(Origin.PLATFORM, retry, actor, remedy, is_wait)


def _cluster(
    remedy: str,
    retry: Retry = Retry.INFRASTRUCTURE,
    actor: Actor = Actor.NOBODY,
    *,
    is_wait: bool = False,
) -> Reason:
    """Return the policy of a reason for which a cluster ended the worker."""
    return Reason(Origin.CLUSTER, retry, actor, remedy, is_wait)


def _blocked(
    remedy: str,
    retry: Retry = Retry.INFRASTRUCTURE,
    actor: Actor = Actor.ADMINISTRATOR,
    *,
    is_wait: bool = True,
    retry_launch: bool = False,
) -> Reason:
    """Return the policy of a reason for which a cluster does not start the worker."""
    return Reason(Origin.CLUSTER, retry, actor, remedy, is_wait, retry_launch)


REASONS: dict[FailureReason, Reason] = {
    FailureReason.WORKLOAD_FAILED: _job(
        "Read the step's message and the log, then change the definition or the parameters."
    ),
    FailureReason.INVALID_INPUT: _job(
        "Fix the data or the definition. Retrying does not help.", Retry.FINAL
    ),
    FailureReason.SIGNATURE_MISMATCH: _job(
        "Use data with the columns that the model was trained on, or train the model again.",
        Retry.FINAL,
    ),
    FailureReason.MODEL_CORRUPT: _job(
        "Check the artifact storage: the model's file was changed. Then train the model again.",
        Retry.FINAL,
        Actor.EITHER,
    ),
    FailureReason.EXIT_CODE: _job("Read the error message of the command at the end of the log."),
    FailureReason.SIGNAL: _job(
        "Native code of the command crashed. Change its version or its input."
    ),
    FailureReason.OUT_OF_MEMORY: _job(
        "Run again with more memory, set memory_max to do so automatically, or read fewer rows or"
        " columns."
    ),
    FailureReason.LOG_LIMIT_EXCEEDED: _job(
        "Write less to the log, or raise LOG_BYTES_MAX.", Retry.FINAL
    ),
    FailureReason.ARTIFACT_LIMIT_EXCEEDED: _job(
        "Write less, or raise ARTIFACT_BYTES_MAX or ARTIFACT_COUNT_MAX.", Retry.FINAL
    ),
    FailureReason.SOURCE_UNAVAILABLE: _job(
        "Run again when the source answers. READ_URL_ALLOW lists the addresses that workers can"
        " read.",
        actor=Actor.NOBODY,
    ),
    FailureReason.DEADLINE_EXCEEDED: _job(
        "Raise the time limit, request more CPU, or read less data.", actor=Actor.NOBODY
    ),
    FailureReason.STALE_BASE: _job("Run again on the newest revision.", Retry.FINAL, Actor.NOBODY),
    FailureReason.CANCELLED: _job(
        "No action needed: a person cancelled it.", Retry.FINAL, Actor.NOBODY
    ),
    FailureReason.NEVER_FITS: _job(
        "Add a larger node to a cluster, or request less.", Retry.FINAL, Actor.ADMINISTRATOR
    ),
    FailureReason.DISK_FULL: _platform(
        "Free space on the disk of the workers (WORKERS_DIR), or write less.",
        Retry.COUNTED,
        Actor.EITHER,
    ),
    FailureReason.STORAGE_UNAVAILABLE: _platform(
        "Free space in the artifact storage (ARTIFACTS_URL), or make it writable and reachable"
        " again.",
        is_wait=True,
    ),
    FailureReason.LAUNCH_TIMEOUT: _platform(
        "Check the workers' machine and the address at which workers reach the orchestrator"
        " (ORCHESTRATOR_URL)."
    ),
    FailureReason.LAUNCH_FAILED: _platform(
        "Read the job's message: the launcher refused the worker.", is_wait=True
    ),
    FailureReason.WORKER_LOST: _platform(
        "Run again. If it happens again, check the workers' machine.", actor=Actor.NOBODY
    ),
    FailureReason.INTERRUPTED: _platform(
        "Run again: the worker received a stop signal.", actor=Actor.NOBODY
    ),
    FailureReason.SHUTDOWN: _platform(
        "No action needed: the jobs restart with Mimir.", actor=Actor.NOBODY
    ),
    FailureReason.PROTOCOL: _platform(
        "Read the job's message: worker and orchestrator have different releases, or the worker"
        " is faulty.",
        Retry.FINAL,
    ),
    FailureReason.CLUSTER_UNREACHABLE: _blocked(
        "Check the cluster's API server and the network path to it: it did not confirm the worker.",
        Retry.SHORTAGE,
    ),
    FailureReason.CLUSTER_FORBIDDEN: _blocked(
        "Give the orchestrator's service account its Role in the workers' namespace (deploy/k8s).",
        Retry.SHORTAGE,
        retry_launch=True,
    ),
    FailureReason.STARTING: _blocked(
        "Run again. If it happens again, check the worker's pod (kubectl describe pod): the"
        " cluster did not start it.",
        actor=Actor.NOBODY,
    ),
    FailureReason.SUSPENDED: _blocked(
        "Release the Job, or check the queueing controller (for example Kueue) that suspends it.",
        Retry.SHORTAGE,
    ),
    FailureReason.IMAGE_PULLING: _blocked(
        "Raise LAUNCH_TIMEOUT, or load the worker's image on the nodes in advance: pulling it takes"
        " too long.",
        actor=Actor.NOBODY,
    ),
    FailureReason.IMAGE_NOT_FOUND: _blocked("Push the worker's image, or correct WORKER_IMAGE."),
    FailureReason.IMAGE_PULL_DENIED: _blocked(
        "Name a pull secret that the registry accepts in WORKER_IMAGE_PULL_SECRETS, or correct"
        " WORKER_IMAGE."
    ),
    FailureReason.IMAGE_PULL_FAILED: _blocked(
        "Read the job's message: the node could not pull the worker's image."
    ),
    FailureReason.IMAGE_NAME_INVALID: _blocked(
        "Correct WORKER_IMAGE: it is not a valid image name.", Retry.FINAL, is_wait=False
    ),
    FailureReason.IMAGE_NEVER_PULL: _blocked(
        "Load the worker's image on every node, or set WORKER_IMAGE_PULL_POLICY to IfNotPresent."
    ),
    FailureReason.REGISTRY_UNREACHABLE: _blocked(
        "Fix the connection from the nodes to the image registry (DNS, firewall, proxy,"
        " certificate, rate limit)."
    ),
    FailureReason.UNSCHEDULABLE: _blocked(
        "Read the job's message: it lists the scheduler's objection to each node.", Retry.SHORTAGE
    ),
    FailureReason.UNSCHEDULABLE_CPU: _blocked(
        "Add a node with more CPU, or request less.", Retry.SHORTAGE
    ),
    FailureReason.UNSCHEDULABLE_MEMORY: _blocked(
        "Add a node with more memory, or request less.", Retry.SHORTAGE
    ),
    FailureReason.UNSCHEDULABLE_GPU: _blocked(
        "Add a GPU node or its device plugin, or run without a GPU.", Retry.SHORTAGE
    ),
    FailureReason.UNSCHEDULABLE_DISK: _blocked(
        "Free space on the nodes' disks, or add a node with more ephemeral storage.",
        Retry.SHORTAGE,
    ),
    FailureReason.UNSCHEDULABLE_SELECTOR: _blocked(
        "Label a node to match the cluster's node selector, or correct the selector."
    ),
    # Most taints are temporary: on nodes that are not ready, new, or about to be removed.
    FailureReason.UNSCHEDULABLE_TAINT: _blocked(
        "Check the nodes' taints. Nodes that are not ready or about to be removed have one"
        " temporarily.",
        Retry.SHORTAGE,
    ),
    FailureReason.UNSCHEDULABLE_VOLUME: _blocked(
        "Free capacity where the volume is, or use a volume that every node can mount"
        " (ReadWriteMany)."
    ),
    FailureReason.NODE_REJECTED: _cluster(
        "Run again. If it happens again, check the node that rejects the workers.", is_wait=True
    ),
    FailureReason.QUOTA_EXCEEDED: _blocked(
        "Raise the namespace's ResourceQuota, or run fewer jobs at once.",
        Retry.SHORTAGE,
        retry_launch=True,
    ),
    # The next worker has the same image, command and security context: retries cannot help.
    FailureReason.LIMIT_RANGE: _blocked(
        "Change the namespace's LimitRange, or request an amount that it allows.",
        Retry.FINAL,
        is_wait=False,
    ),
    FailureReason.POD_SECURITY: _blocked(
        "Correct the worker's security context, or the namespace's Pod Security label.",
        Retry.FINAL,
        is_wait=False,
    ),
    FailureReason.ADMISSION_DENIED: _blocked(
        "Read the job's message: a rule of the cluster denies the worker. Change the rule or the"
        " worker.",
        Retry.FINAL,
        is_wait=False,
    ),
    FailureReason.BAD_COMMAND: _blocked(
        "Correct WORKER_IMAGE: it cannot run the worker's command.", Retry.FINAL, is_wait=False
    ),
    FailureReason.ADMISSION_UNAVAILABLE: _blocked(
        "Start the admission webhook named in the job's message, or remove its configuration.",
        retry_launch=True,
    ),
    FailureReason.MISSING_SECRET: _blocked("Create the secret in the workers' namespace."),
    FailureReason.MISSING_CONFIG_MAP: _blocked("Create the config map in the workers' namespace."),
    FailureReason.MISSING_VOLUME_CLAIM: _blocked(
        "Create the volume claim in the workers' namespace, or run workers without the model cache."
    ),
    FailureReason.MISSING_SERVICE_ACCOUNT: _blocked(
        "Create the service account in the workers' namespace (deploy/k8s)."
    ),
    FailureReason.MISSING_PRIORITY_CLASS: _blocked(
        "Create the PriorityClass, or correct WORKER_PRIORITY_CLASSES."
    ),
    FailureReason.VOLUME_UNBOUND: _blocked(
        "Give the claim a volume, or a storage class that provisions one."
    ),
    FailureReason.MOUNT_FAILED: _blocked(
        "Read the job's message and check the volume: the node could not mount it."
    ),
    FailureReason.INIT_FAILED: _blocked(
        "Check the init container named in the job's message, and the controller that adds it to"
        " the workers' pods."
    ),
    FailureReason.SANDBOX_FAILED: _blocked(
        "Check the container runtime of the node named in the job's message."
    ),
    FailureReason.NETWORK_FAILED: _blocked(
        "Check the network plugin (CNI) of the node named in the job's message."
    ),
    FailureReason.EVICTED: _cluster(
        "Run again. If it happens again, check the node that evicts workers.", is_wait=True
    ),
    FailureReason.EVICTED_DISK: _cluster(
        "Run again. Free space on the nodes' disks, or raise the workers' disk requests.",
        is_wait=True,
    ),
    FailureReason.EVICTED_DISK_LIMIT: _cluster(
        "Write less to the scratch folder, or raise WORKER_DATA_BYTES.",
        Retry.COUNTED,
        Actor.USER,
        is_wait=True,
    ),
    FailureReason.EVICTED_MEMORY: _cluster(
        "Run again. The node ran out of memory: raise the workers' memory requests.", is_wait=True
    ),
    FailureReason.EVICTED_BY_REQUEST: _cluster(
        "No action needed: a node was drained, and the job runs again elsewhere.", is_wait=True
    ),
    FailureReason.PREEMPTED: _cluster(
        "No action needed: a pod of higher priority took the capacity. Add nodes if it happens"
        " often.",
        is_wait=True,
    ),
    FailureReason.NODE_LOST: _cluster(
        "Run again. Check the node that stopped answering.", is_wait=True
    ),
    FailureReason.NODE_SHUTDOWN: _cluster(
        "No action needed: the node was shut down, and the job runs again elsewhere.", is_wait=True
    ),
    FailureReason.NEVER_CLAIMED: _cluster(
        "Check the address at which workers reach the orchestrator (ORCHESTRATOR_URL) and the"
        " network policies.",
        actor=Actor.ADMINISTRATOR,
    ),
    FailureReason.HEARTBEAT_LOST: _cluster(
        "Check the cluster: neither it nor the worker answered.", actor=Actor.ADMINISTRATOR
    ),
    FailureReason.DELETED_BY_HAND: _cluster("Run again, unless it was deleted on purpose."),
    FailureReason.VANISHED: _cluster(
        "Run again. If it happens again, find out what deletes the workers' pods."
    ),
}


def _with_retry(policy: Retry) -> frozenset[FailureReason]:
    return frozenset(reason for reason, row in REASONS.items() if row.retry is policy)


def _with_actor(actor: Actor) -> frozenset[FailureReason]:
    return frozenset(r for r, row in REASONS.items() if row.actor in (actor, Actor.EITHER))


CLUSTER_REASONS = frozenset(r for r, row in REASONS.items() if row.origin is Origin.CLUSTER)
FINAL_REASONS = _with_retry(Retry.FINAL)
# Waits that belong to every start: no fault, no image pull and no shortage.
PLAIN_STARTS = frozenset({FailureReason.STARTING, FailureReason.NEVER_CLAIMED})
SHORTAGE_REASONS = _with_retry(Retry.SHORTAGE)
UNCOUNTED_REASONS = frozenset(reason for reason, row in REASONS.items() if not row.counts)
ADMINISTRATOR_REASONS = _with_actor(Actor.ADMINISTRATOR)
USER_REASONS = _with_actor(Actor.USER)

UNKNOWN_REMEDY = "This release does not know the reason: open one of the jobs."


def reason_of(name: str) -> FailureReason | None:
    """Return the reason with this stored name; None for a reason of another release."""
    try:
        return FailureReason(name)
    except ValueError:
        return None


def remedy(name: str) -> str:
    """Return the remedy of a stored reason; a general sentence for a reason of another release."""
    reason = reason_of(name)
    return REASONS[reason].remedy if reason is not None else UNKNOWN_REMEDY
