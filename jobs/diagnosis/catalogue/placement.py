"""Messages about the scheduler: no node accepts the worker, or it has not chosen one yet."""

from jobs.diagnosis.message import LESS, NO_CACHE, STARTS_BY_ITSELF, WAIT, Message, Step, message

_OBJECTIONS = "[ Of {nodes} nodes: {objections}.]"
AUTOSCALER_ADDS = "The node autoscaler is adding a node."
AUTOSCALER_REFUSES = "The node autoscaler does not add a node: {report}."
CLAIM_REPORTS = "The volume claim reports: {report}."

CLAIM_WITHOUT_CLASS = message(
    "volume_unbound.storage_class",
    'the volume claim[ "{claim}"] has no volume, because its storage class "{storage_class}" does'
    " not exist.",
    "An administrator must create the storage class, or a volume for the claim.",
    "Create the storage class",
    "Create a volume for the claim",
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)
CLAIM_UNBOUND = message(
    "volume_unbound",
    'the volume claim[ "{claim}"] has no volume yet (unbound).',
    "An administrator must give it a volume, or a storage class that provisions one.",
    "Give the claim a volume or a storage class",
    NO_CACHE,
    waiting=True,
    meanwhile=STARTS_BY_ITSELF,
)


def _claim(cause: str, state: str) -> Message:
    return message(
        f"missing_volume_claim{cause}",
        f'the volume claim "{{claim}}" is {state}.',
        "An administrator must create it in the workers' namespace, or run workers without the"
        " model cache.",
        "Create the volume claim {claim}",
        NO_CACHE,
        waiting=True,
        meanwhile=STARTS_BY_ITSELF,
    )


CLAIM_MISSING = _claim("", "missing")
CLAIM_BEING_DELETED = _claim(".deleted", "being deleted")


def _short(code: str, step: str, why: str) -> Message:
    return message(
        code,
        f"no node has {{wanted}} free[ (largest node: {{largest_size}})].{_OBJECTIONS}",
        f"{why}[ Other {{other_nodes}}.][ A toleration for {{tolerable}} in the cluster's settings"
        " lets it use those nodes as well.]",
        LESS,
        step,
        waiting=True,
    )


def _shortages(kind: str, step: str) -> tuple[Message, Message, Message]:
    return (
        _short(
            f"unschedulable_{kind}",
            step,
            "It starts when a node has free capacity. Request less, or add a node.",
        ),
        _short(
            f"unschedulable_{kind}.largest",
            step,
            "Even an empty node is too small: it starts only when a larger node is added. Request"
            " less, or add a larger node.",
        ),
        _short(
            f"unschedulable_{kind}.together",
            step,
            "No single node is large enough for the complete request. Request less, or add a larger"
            " node.",
        ),
    )


_ALL_SHORTAGES = (
    *_shortages("cpu", "Add a node with more CPU"),
    *_shortages("memory", "Add a node with more memory"),
    *_shortages("disk", "Add a node with more ephemeral storage"),
)
SHORTAGES: dict[str, Message] = {each.code: each for each in _ALL_SHORTAGES}


def _gpu(cause: str, why: str) -> Message:
    return message(
        f"unschedulable_gpu{cause}",
        f"{why}.{_OBJECTIONS}",
        "Run it without a GPU, or add a GPU node or its device plugin.",
        Step("Run without a GPU", {"resources": {"gpu": 0}}),
        "Add a GPU node or its device plugin",
        waiting=True,
    )


GPU_BUSY = _gpu("", "no node has {wanted} free")
GPU_NOT_OFFERED = _gpu(
    ".not_offered", "no node has a GPU (0 of {node_count} nodes offer {resource})"
)
GPU_TOO_FEW = _gpu(".too_few", "no node has {wanted} (largest node: {largest_size})")
GPU_IN_USE = _gpu(
    ".in_use",
    "{offering} of {node_count} nodes offer {resource}, and none of them has {wanted} free",
)
VOLUME_ELSEWHERE = message(
    "unschedulable_volume",
    f'no node can mount its volume[ (claim "{{claim}}")].{_OBJECTIONS}',
    "The volume is bound to a node or a zone without free capacity for the worker, or the nodes"
    " cannot attach one more volume. An administrator must free capacity there, or use a volume"
    " that every node can mount.",
    "Free capacity where the volume is",
    "Use a volume that every node can mount (ReadWriteMany)",
    NO_CACHE,
    waiting=True,
)


def _selector(cause: str, why: str, step: str) -> Message:
    return message(
        f"unschedulable_selector{cause}",
        f"{why}.{_OBJECTIONS}",
        "An administrator must label a node, or correct the node selector in the cluster's"
        " settings.",
        step,
        "Correct the cluster's node selector",
        waiting=True,
    )


SELECTOR = _selector("", "no node matches its node selector or affinity", "Label a node")
SELECTOR_FULL = _selector(
    ".full", "the nodes with the label {selector} cannot take it", "Label a node with {selector}"
)
SELECTOR_NO_NODE = _selector(
    ".no_node", "no node has the label {selector}", "Label a node with {selector}"
)


def _taint(cause: str, detail: str, *steps: str) -> Message:
    return message(
        f"unschedulable_taint{cause}",
        f"{{nodes_are}}.{_OBJECTIONS}",
        detail,
        *steps,
        waiting=True,
    )


_TEMPORARY = (
    "It starts automatically when a node is healthy again, or a new one is ready. An administrator"
    " should check the nodes if the problem persists."
)
TAINT_TEMPORARY = _taint(".temporary", _TEMPORARY, "Check the nodes if the problem persists")
TAINT_TEMPORARY_AND_RESERVED = _taint(
    ".temporary_and_reserved",
    f"{_TEMPORARY} The other nodes are reserved by their taint.",
    "Check the nodes if the problem persists",
)
TAINT_RESERVED = _taint(
    ".reserved",
    "An administrator must add a toleration to the cluster's settings, or remove the taint.",
    "Give the cluster a toleration for the taint",
    "Remove the taint from a node",
)
TAINT_CONTROL_PLANE = _taint(
    ".control_plane",
    "These nodes are reserved for the cluster's control plane. An administrator must add a node for"
    " workers.",
    "Add a node for workers",
)
TAINT_UNKNOWN = _taint(
    "",
    "The cluster does not report the taints. A node that is not ready, or about to be removed, has"
    " one temporarily; others are set by people. An administrator should check the nodes (kubectl"
    " describe nodes).",
    "Check the nodes and their taints",
)


def _unschedulable(cause: str, why: str, step: str) -> Message:
    return message(
        f"unschedulable.{cause}",
        f"no node accepts the worker: {why}.{_OBJECTIONS}",
        "It starts automatically when that changes.",
        step,
        waiting=True,
    )


# By a phrase of the scheduler's message, in any case. The first match is used.
OBJECTIONS: dict[str, Message] = {
    "no nodes available": _unschedulable("no_nodes", "the cluster has no node", "Add a node"),
    "were unschedulable": _unschedulable(
        "cordoned",
        "the nodes are cordoned (closed to new pods)",
        "Uncordon a node (kubectl uncordon)",
    ),
    "Too many pods": _unschedulable(
        "pods", "the nodes hold the maximum number of pods", "Add a node"
    ),
    "topology spread": _unschedulable(
        "topology_spread",
        "a topology spread constraint forbids it",
        "Change the constraint, or add a node",
    ),
    "anti-affinity": _unschedulable(
        "anti_affinity", "a pod anti-affinity rule forbids it", "Change the rule, or add a node"
    ),
    "pod affinity": _unschedulable("affinity", "a pod affinity rule is not met", "Change the rule"),
    "free ports": _unschedulable("ports", "the ports it requests are in use", "Free the ports"),
    "scheduling gates": _unschedulable("gate", "a scheduling gate blocks it", "Remove the gate"),
}
SHORT_OF_OTHER = message(
    "unschedulable.other_resource",
    "no node has enough {resource} free.",
    "It starts automatically when a node can take it. An administrator should read the scheduler's"
    " message.",
    "Check the nodes and the scheduler's message",
    waiting=True,
)
UNSCHEDULABLE = message(
    "unschedulable",
    "the scheduler reports: {report}.",
    SHORT_OF_OTHER.detail,
    "Check the nodes and the scheduler's message",
    waiting=True,
)
NOT_SCHEDULED = message(
    "starting.not_scheduled",
    "the scheduler has not chosen a node for the worker yet.",
    "No error so far.",
    WAIT,
    waiting=True,
)
NOT_CONFIRMED_BY_NODE = message(
    "starting.not_confirmed",
    "the worker is assigned to a node[ ({node})], which has not confirmed it yet.",
    "A node normally confirms its pods within seconds. If this continues, an administrator should"
    " check the node.",
    "Check the node if the problem persists",
    waiting=True,
)
