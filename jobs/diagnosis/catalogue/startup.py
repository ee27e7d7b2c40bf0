"""Messages about a scheduled pod that does not run: volumes, sandbox, configuration, command."""

from jobs.contract import FailureReason
from jobs.diagnosis.message import (
    AGAIN,
    NO_CACHE,
    STARTS_BY_ITSELF,
    TRIES_AGAIN,
    WAIT,
    Message,
    message,
)
from jobs.reasons import REASONS, Retry

_CHECK_RUNTIME = "Check the node's container runtime"

STARTING = message(
    "starting", "The worker is being started[ on node {node}].", "No error so far.", WAIT
)
NOT_STARTED = message(
    "starting.report",
    "The worker has not started: {state}[: {report}].",
    "This is the cluster's own report: this release has no explanation for it. An administrator"
    " should check the worker's pod.",
    "Check the worker's pod (kubectl describe pod)",
)
RUNS_AS_ROOT = message(
    "pod_security.root",
    "The node refuses to run the image as root: the worker's security context forbids it"
    " (runAsNonRoot).",
    "An administrator must give the image a numeric user that is not root. Waiting does not help.",
    "Give the image a numeric user that is not root",
    "Correct the worker's security context",
    stuck=True,
)
MEMORY_LIMIT_TOO_SMALL = message(
    "out_of_memory.before_start",
    "Ran out of memory before it started: its limit is too small for a worker.",
    "Request more memory.",
    "Request more memory",
    stuck=True,
)
RUNTIME_FAILED = message(
    "sandbox_failed.runtime",
    "The node's container runtime could not run the worker: {report}.",
    "An administrator should check the node and its container runtime.",
    _CHECK_RUNTIME,
)
PROFILE_MISSING = message(
    "sandbox_failed.profile",
    "the node cannot load the {profile_kind} profile {profile} of the worker's container.",
    "An administrator must install the {profile_kind} profile on the nodes, or remove the"
    " controller that adds it to the worker's pod.",
    "Install the {profile_kind} profile on the nodes",
    waiting=True,
    meanwhile=TRIES_AGAIN,
)


def _missing(code: str, kind: str) -> tuple[Message, Message, Message]:
    """Return messages for a missing object, a missing key and a missing key of a mounted object."""
    key = "An administrator must add the key."
    return (
        message(
            code,
            f'the {kind} "{{name}}" is missing.',
            "An administrator must create it in the workers' namespace.",
            f"Create the {kind} {{name}}",
            waiting=True,
            meanwhile=STARTS_BY_ITSELF,
        ),
        message(
            f"{code}.key",
            f'the {kind} "{{name}}" has no key "{{key}}".',
            key,
            f"Add the key {{key}} to the {kind} {{name}}",
            waiting=True,
            meanwhile=STARTS_BY_ITSELF,
        ),
        message(
            f"{code}.mounted_key",
            f'the mounted {kind} has no key "{{key}}".',
            key,
            "Add the key {key}",
            waiting=True,
            meanwhile=STARTS_BY_ITSELF,
        ),
    )


SECRET_MISSING, SECRET_KEY_MISSING, SECRET_MOUNTED_KEY_MISSING = _missing(
    "missing_secret", "secret"
)
CONFIG_MAP_MISSING, CONFIG_MAP_KEY_MISSING, CONFIG_MAP_MOUNTED_KEY_MISSING = _missing(
    "missing_config_map", "config map"
)


def _mount(cause: str, why: str, *steps: str) -> tuple[Message, Message]:
    """Return the messages for workers without and with a volume claim.

    The claim is for the model cache, which workers can run without.
    """
    code, detail = f"mount_failed{cause}", "An administrator should check the volume."
    return (
        message(code, why, detail, *steps, waiting=True, meanwhile=TRIES_AGAIN),
        message(
            f"{code}.claim", why, detail, *steps, NO_CACHE, waiting=True, meanwhile=TRIES_AGAIN
        ),
    )


_CHECK_VOLUME = "Check the volume and its storage driver"
DRIVER_MISSING = _mount(
    ".driver",
    'the storage driver {driver} (CSI) of the volume[ "{volume}"] is not registered on its node.',
    "Install the storage driver {driver} on the nodes, or check its pod on this node",
)
VOLUME_IN_USE = _mount(
    ".in_use",
    'the volume[ "{volume}"] is in use on another node and cannot be attached to two.',
    "Wait until the other pod has ended",
    "Use a volume that many nodes can mount (ReadWriteMany)",
)
NOT_ATTACHED = _mount(
    ".attach",
    'the volume[ "{volume}"] cannot be attached to its node'
    "[ by the storage driver {driver} (CSI)].",
    _CHECK_VOLUME,
)
NOT_MOUNTED = _mount(
    "",
    'the volume[ "{volume}"] cannot be mounted[ by the storage driver {driver} (CSI)].',
    _CHECK_VOLUME,
)
MOUNTS: dict[str, Message] = {
    each.code: each
    for pair in (DRIVER_MISSING, VOLUME_IN_USE, NOT_ATTACHED, NOT_MOUNTED)
    for each in pair
}

NETWORK_FAILED = message(
    "network_failed",
    "the network of the worker's pod cannot be set up[ on node {node}].",
    "An administrator should check the network plugin (CNI) of the node.",
    "Check the node's network plugin (CNI)",
    waiting=True,
    meanwhile=TRIES_AGAIN,
)
SANDBOX_FAILED = message(
    "sandbox_failed",
    "the container runtime cannot create the sandbox of the worker's pod[ on node {node}].",
    "An administrator should check the container runtime of the node.",
    _CHECK_RUNTIME,
    waiting=True,
    meanwhile=TRIES_AGAIN,
)


def _sandbox_image(code: str) -> Message:
    return message(
        code,
        "the node[ {node}] has no image for pod sandboxes. {problem}",
        "Every pod of the node needs this image. An administrator should load it on the node, or"
        " correct the sandbox image in the configuration of its container runtime.",
        "Load the sandbox image on the node, or correct the container runtime's configuration",
        waiting=True,
        meanwhile=TRIES_AGAIN,
    )


SANDBOX_IMAGE = _sandbox_image("sandbox_failed.image")
SANDBOX_IMAGE_UNREACHABLE = _sandbox_image("registry_unreachable.sandbox_image")


def _command(cause: str, why: str, step: str) -> Message:
    return message(
        f"bad_command{cause}",
        f"The worker could not be started: {why}.",
        "Its code never ran, so there is no log. An administrator must correct the image. Retrying"
        " does not help.",
        step,
        stuck=True,
    )


COMMAND_WRONG_ARCHITECTURE = _command(
    ".architecture",
    "the {named} is built for another processor architecture than the node's",
    "Use an image for the nodes' architecture",
)
COMMAND_NOT_EXECUTABLE = _command(
    ".not_executable", "the {named} is not executable", "Make the command executable in the image"
)
COMMAND_NOT_NAMED = _command(".none", "the image names no command", "Give the image a command")
COMMAND_NOT_FOUND = _command(
    "",
    "the {named} was not found in the image",
    "Correct the command or the image (WORKER_IMAGE)",
)
WORKING_DIRECTORY = _command(
    ".working_directory",
    "its working directory[ {working_directory}] cannot be used ({problem})",
    "Correct the image or its working directory (WORKER_IMAGE)",
)

_NOT_OURS = "Workers have no init containers of their own: a controller in the cluster added it."
INIT_RUNS = message(
    "starting.init_container",
    'the {kind} "{container}" runs. The worker starts only after it.',
    f"{_NOT_OURS} If it does not end, an administrator should check its log.",
    'Check the container "{container}" if the problem persists',
    waiting=True,
)
_INIT_DETAIL = (
    "The job itself never ran: the worker's container starts only after this one. Not the job's"
    f" fault. {_NOT_OURS} An administrator should check its log."
)
INIT_FAILS = message(
    "init_failed",
    'preparing the worker fails in the init container "{container}" ({how})[: {last_lines}].',
    _INIT_DETAIL,
    AGAIN,
    'Check the init container "{container}"',
    waiting=True,
)
INIT_FAILED = message(
    "init_failed.ended",
    'Preparing the worker failed in the init container "{container}" ({how})[: {last_lines}].',
    _INIT_DETAIL,
    AGAIN,
    'Check the init container "{container}"',
)


def _init_blocked(reason: FailureReason) -> Message:
    return message(
        f"{reason.value}.init_container",
        'the init container "{container}" cannot start: {problem}',
        f"The worker starts only after it. {_NOT_OURS} An administrator should correct it there.",
        'Correct the init container "{container}"',
        waiting=True,
    )


INIT_BLOCKED: dict[FailureReason, Message] = {
    reason: _init_blocked(reason) for reason in FailureReason
}


def init_blocked(reason: FailureReason) -> Message:
    """Return the message of an init container that cannot start because of `reason`.

    A reason that is final for a worker becomes INIT_FAILED: the init container is not Mimir's.
    """
    final = REASONS[reason].retry is Retry.FINAL
    return INIT_BLOCKED[FailureReason.INIT_FAILED if final else reason]


SUSPENDED = message(
    "suspended",
    "its Job is suspended by a queue manager (for example Kueue) or an administrator.",
    "It starts when its Job is released. An administrator should check who suspends it.",
    "Release the Job",
    waiting=True,
)
SUSPENDED_WHILE_RUNNING = message(
    "suspended.running",
    "The worker was stopped: its Job was suspended while it ran, by a queue manager (for example"
    " Kueue) or an administrator.",
    "Its progress is lost. The job restarts with another Job, which waits while the cluster"
    " suspends that one as well. Not caused by the job. An administrator should check who suspends"
    " the Jobs.",
    "Release the Job, or check the queue manager",
)
