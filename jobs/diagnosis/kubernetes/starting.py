"""Why a pod that has a node does not run yet, or could not be run: its sandbox, volumes, configuration, command. Pure."""

import re

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import Asked
from jobs.diagnosis.kubernetes.commands import command_finding
from jobs.diagnosis.kubernetes.creating import refused_finding
from jobs.diagnosis.kubernetes.images import IMAGE_REASONS, image_finding
from jobs.diagnosis.kubernetes.scheduling import missing_claim
from jobs.diagnosis.kubernetes.values import THEN_BY_ITSELF, TRIES_AGAIN, Finding

# What containerd, CRI-O and Docker end a container with that never ran.
START_REASONS = frozenset(
    {
        "StartError",
        "ContainerCannotRun",
        "RunContainerError",
        "CreateContainerError",
        "CreateContainerConfigError",
        "ContainerCannotStart",
    }
)
QUIET = frozenset({"", "ContainerCreating", "PodInitializing"})  # at work, nothing said
MOUNT_EVENTS = frozenset(
    {
        "FailedMount",
        "FailedAttachVolume",
        "FailedMapVolume",
        "VolumeFailedDelete",
        "FailedMountOnFilesystemMismatch",
    }
)
SANDBOX_EVENTS = frozenset(
    {
        "FailedCreatePodSandBox",
        "FailedCreatePodSandbox",
        "NetworkNotReady",
        "FailedCreatePodContainer",
        "FailedPodSandBoxStatus",
        "CNIRequestFailed",
    }
)

_SECRET = re.compile(r'secrets? "([^"]+)" not found', re.I)
_SECRET_KEY = re.compile(r"couldn't find key (\S+) in Secret (\S+)", re.I)
_CONFIG_MAP = re.compile(r'configmaps? "([^"]+)" not found', re.I)
_CONFIG_MAP_KEY = re.compile(r"couldn't find key (\S+) in ConfigMap (\S+)", re.I)
_ABSENT_KEY = re.compile(r"references non-existent (secret|config) key: (\S+)", re.I)
_CLAIM = re.compile(r'persistentvolumeclaims? "([^"]+)" (?:not found|is being deleted)', re.I)
_VOLUMES = re.compile(r"unmounted volumes=\[([^\]]*)\]")
_VOLUME = re.compile(r'(?:volume|PVC|claim) "?([A-Za-z0-9._:/-]+)"?')
_ROOT = re.compile(r"runAsNonRoot|image will run as root|non-numeric user", re.I)
_MEMORY = re.compile(
    r"OOM-killed|memory limit too low|cannot allocate memory|minimum memory limit", re.I
)
_PROFILE = re.compile(r"(seccomp|apparmor)\b.{0,60}?profile [\\\"'`]*([^\s\"'`\\:]{1,512})", re.I)
_SANDBOX_IMAGE = re.compile(
    r"(?:sandbox|pause|infra(?:structure)?) image [\"'`]?([^\s\"'`]+?)[\"'`:]?(?:\s|$)|image [\"'`]?([^\s\"'`]*\bpause\b[^\s\"'`]*?)[\"'`]?:?(?:\s|$)"
    r"|docker://([^\s\"'`]*\bpause\b[^\s\"'`]*?):?(?:\s|$)"
)
_DRIVERS = (
    re.compile(r"driver name (\S+) not found in the list of registered CSI drivers"),
    re.compile(r"does not contain driver (\S+)"),
    re.compile(r"(?:external-attacher of|CSI driver) ([\w.-]+\.[\w.-]+)"),
)
_ABSENT_DRIVER = re.compile(r"not found in the list of registered|does not contain driver")
_MOUNTING = re.compile(
    r"error mounting|failed to (?:prepare subPath|mount|create subPath)|mountpoint|bind[- ]source|invalid mount|subpath",
    re.I,
)
_NETWORK = re.compile(
    r"network|\bcni\b|plugin type=|ipam|failed to allocate|no addresses|IP address|calico|cilium|flannel|veth",
    re.I,
)


def waiting_finding(reason: str, message: str, asked: Asked, image: str) -> Finding | None:
    """What a container's waiting reason means; None where it says nothing."""
    if reason in QUIET:
        return None
    if reason in IMAGE_REASONS:
        return image_finding(reason, message, image or asked.image)
    if reason in START_REASONS:
        return start_finding(reason, message, asked, image)
    return Finding(
        FailureReason.STARTING,
        f"The worker has not started: {reason}{f': {message}' if message else ''}.",
        "These are the cluster's own words: this release has no better ones. An administrator should look at the worker's pod.",
        f"{reason}: {message}" if message else reason,
        ("Look at the worker's pod (kubectl describe pod)",),
    )


def start_finding(reason: str, message: str, asked: Asked, image: str) -> Finding:
    """Why a container could not be made or run."""
    raw = f"{reason}: {message}" if message else reason
    found = _configured(message, raw)
    if found:
        return found
    if _ROOT.search(message):
        return Finding(
            FailureReason.POD_SECURITY,
            "The node refuses to run the image as root, which the worker's security context forbids (runAsNonRoot).",
            "An administrator has to give the image a numeric user that is not root: waiting does not help.",
            raw,
            (
                "Give the image a numeric user that is not root",
                "Mend the worker's security context",
            ),
            hopeless=True,
            facts={"image": image},
        )
    if _MEMORY.search(message):
        return Finding(
            FailureReason.OUT_OF_MEMORY,
            "Ran out of memory before it started: its limit is too small for a worker.",
            "Ask for more memory.",
            raw,
            ("Ask for more memory",),
            hopeless=True,
            facts={"image": image},
        )
    if _MOUNTING.search(message):
        return mount_finding(reason, message, asked)
    if profile := _PROFILE.search(message):
        return _no_profile(profile[1], profile[2], raw)
    if found := command_finding(message, raw, asked, image):
        return found
    if _NETWORK.search(message):
        return sandbox_finding(reason, message, "")
    return Finding(
        FailureReason.SANDBOX_FAILED,
        f"The node's container runtime could not run the worker: {message or reason}.",
        "An administrator should look at the node and at its container runtime.",
        raw,
        ("Look at the node's container runtime",),
    )


def _no_profile(kind: str, name: str, raw: str) -> Finding:
    """A security profile that the node does not have, or cannot load."""
    kind = {"seccomp": "seccomp", "apparmor": "AppArmor"}[kind.lower()]
    return Finding(
        FailureReason.SANDBOX_FAILED,
        f"Waiting: the node cannot load the {kind} profile {name} of the worker's container.",
        f"An administrator has to put the {kind} profile on the nodes, or to remove what adds it to the worker's pod.",
        raw,
        (f"Put the {kind} profile on the nodes",),
        facts={"profile": name},
        meanwhile=TRIES_AGAIN,
    )


def _configured(message: str, raw: str) -> Finding | None:
    """A secret or config map that is not there, or lacks a key."""
    for pattern, key_pattern, kind, category in (
        (_SECRET, _SECRET_KEY, "secret", FailureReason.MISSING_SECRET),
        (_CONFIG_MAP, _CONFIG_MAP_KEY, "config map", FailureReason.MISSING_CONFIG_MAP),
    ):
        whole, part = pattern.search(message), key_pattern.search(message)
        fact = kind.replace(" ", "_")
        if whole:
            return Finding(
                category,
                f'Waiting: the {kind} "{whole[1]}" is missing.',
                "An administrator has to create it in the workers' namespace.",
                raw,
                (f"Create the {kind} {whole[1]}",),
                facts={fact: whole[1]},
                meanwhile=THEN_BY_ITSELF,
            )
        if part:
            name = part[2].rpartition("/")[2].rstrip(".,:")
            return Finding(
                category,
                f'Waiting: the {kind} "{name}" lacks the key "{part[1]}".',
                "An administrator has to add the key.",
                raw,
                (f"Add the key {part[1]} to the {kind} {name}",),
                facts={fact: name, "key": part[1]},
                meanwhile=THEN_BY_ITSELF,
            )
    key = _ABSENT_KEY.search(message)
    if key is None:
        return None
    secret = key[1].lower() == "secret"
    return Finding(
        FailureReason.MISSING_SECRET if secret else FailureReason.MISSING_CONFIG_MAP,
        f'Waiting: the {"secret" if secret else "config map"} that it mounts lacks the key "{key[2]}".',
        "An administrator has to add the key.",
        raw,
        (f"Add the key {key[2]}",),
        facts={"key": key[2]},
        meanwhile=THEN_BY_ITSELF,
    )


def mount_finding(reason: str, message: str, asked: Asked) -> Finding:
    """Why a volume cannot be attached or mounted."""
    raw = f"{reason}: {message}" if message else reason
    found = _configured(message, raw)
    if found:
        return found
    claim = _CLAIM.search(message)
    if claim:
        return missing_claim(claim[1], deleted="deleted" in claim[0])
    unmounted, named = _VOLUMES.search(message), _VOLUME.search(message)
    volume = (unmounted[1].replace(" ", ", ") if unmounted else "") or (named[1] if named else "")
    volume_told = f' "{volume}"' if volume else ""
    steps: tuple[str, ...] = ("Look at the volume and at its storage driver",)
    driver = next(
        (
            named_by[1].rstrip(".,:")
            for pattern in _DRIVERS
            if (named_by := pattern.search(message))
        ),
        "",
    )
    if driver and _ABSENT_DRIVER.search(message):
        why = f"the storage driver {driver} (CSI), which the volume{volume_told} needs, is not registered on its node"
        steps = (
            f"Install the storage driver {driver} on the nodes, or look at its pod on this node",
        )
    elif "Multi-Attach" in message:
        why = f"the volume{volume_told} is in use on another node and cannot be attached to two"
        steps = (
            "Wait until the other pod has ended",
            "Use a volume that many nodes can mount (ReadWriteMany)",
        )
    elif reason == "FailedAttachVolume" or "AttachVolume" in message:
        why = f"the volume{volume_told} cannot be attached to its node{f' by the storage driver {driver} (CSI)' if driver else ''}"
    else:
        why = f"the volume{volume_told} cannot be mounted{f' by the storage driver {driver} (CSI)' if driver else ''}"
    return Finding(
        FailureReason.MOUNT_FAILED,
        f"Waiting: {why}.",
        "An administrator should look at the volume.",
        raw,
        (*steps, "Let workers run without the shared model cache") if asked.claims else steps,
        facts={
            "volume": volume,
            "driver": driver,
            "claim": asked.claims[0] if asked.claims else "",
        },
        meanwhile=TRIES_AGAIN,
    )


def sandbox_finding(reason: str, message: str, node: str) -> Finding:
    """Why a node cannot make the pod's sandbox: its network, or its container runtime."""
    raw = f"{reason}: {message}" if message else reason
    on = f" on node {node}" if node else ""
    if image := _SANDBOX_IMAGE.search(message):
        return _sandbox_image(next(name for name in image.groups() if name), message, raw, node)
    if reason == "NetworkNotReady" or _NETWORK.search(message):
        return Finding(
            FailureReason.NETWORK_FAILED,
            f"Waiting: the network of the worker's pod cannot be set up{on}.",
            "An administrator should look at the network plugin (CNI) of the node.",
            raw,
            ("Look at the node's network plugin (CNI)",),
            facts={"node": node},
            meanwhile=TRIES_AGAIN,
        )
    return Finding(
        FailureReason.SANDBOX_FAILED,
        f"Waiting: the container runtime cannot make the sandbox of the worker's pod{on}.",
        "An administrator should look at the container runtime of the node.",
        raw,
        ("Look at the node's container runtime",),
        facts={"node": node},
        meanwhile=TRIES_AGAIN,
    )


def _sandbox_image(image: str, message: str, raw: str, node: str) -> Finding:
    """The image of the pod's sandbox (pause), which is the node's own setting and no image of ours."""
    found = image_finding("ErrImagePull", message, image)
    unreachable = found.category is FailureReason.REGISTRY_UNREACHABLE
    on = f" {node}" if node else ""
    return Finding(
        FailureReason.REGISTRY_UNREACHABLE if unreachable else FailureReason.SANDBOX_FAILED,
        f"Waiting: the node{on} has no image for pod sandboxes. {found.summary}",
        "Every pod of the node needs this image. An administrator should load it on the node, or correct the sandbox image in the configuration of"
        " its container runtime.",
        raw,
        ("Load the sandbox image on the node, or correct the container runtime's configuration",),
        facts={"image": image, "node": node},
        meanwhile=TRIES_AGAIN,
    )


def created_nothing(message: str) -> Finding:
    """The Job controller could not create the pod."""
    return refused_finding(message.removeprefix("Error creating: "))
