"""Rules for a scheduled pod that does not run: sandbox, volumes, configuration, command. Pure."""

import re
from dataclasses import replace

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import startup as says
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.rules_command import command_cause
from jobs.diagnosis.kubernetes.rules_image import IMAGE_REASONS, image_cause
from jobs.diagnosis.kubernetes.rules_refusal import missing_claim
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec
from jobs.diagnosis.message import Message

# Reasons of containerd, CRI-O and Docker for a container that never ran.
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
NO_ERROR = frozenset({"", "ContainerCreating", "PodInitializing"})  # in progress
ATTACH_EVENT = "FailedAttachVolume"
MOUNT_EVENTS = frozenset(
    {
        "FailedMount",
        ATTACH_EVENT,
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
_MISSING: tuple[tuple[re.Pattern[str], re.Pattern[str], Message, Message], ...] = (
    (_SECRET, _SECRET_KEY, says.SECRET_MISSING, says.SECRET_KEY_MISSING),
    (_CONFIG_MAP, _CONFIG_MAP_KEY, says.CONFIG_MAP_MISSING, says.CONFIG_MAP_KEY_MISSING),
)
_ABSENT_KEY = re.compile(r"references non-existent (secret|config) key: (\S+)", re.I)
_CLAIM = re.compile(r'persistentvolumeclaims? "([^"]+)" (?:not found|is being deleted)', re.I)
_VOLUMES = re.compile(r"unmounted volumes=\[([^\]]*)\]")
_VOLUME = re.compile(r'(?:volume|PVC|claim) "?([A-Za-z0-9._:/-]+)"?')
_ROOT = re.compile(r"runAsNonRoot|image will run as root|non-numeric user", re.I)
_MEMORY = re.compile(
    r"OOM-killed|memory limit too low|cannot allocate memory|minimum memory limit", re.I
)
_PROFILE = re.compile(r"(seccomp|apparmor)\b.{0,60}?profile [\\\"'`]*([^\s\"'`\\:]{1,512})", re.I)
_PROFILE_KINDS = {"seccomp": "seccomp", "apparmor": "AppArmor"}
_SANDBOX_IMAGE = re.compile(
    r"(?:sandbox|pause|infra(?:structure)?) image [\"'`]?([^\s\"'`]+?)[\"'`:]?(?:\s|$)"
    r"|image [\"'`]?([^\s\"'`]*\bpause\b[^\s\"'`]*?)[\"'`]?:?(?:\s|$)"
    r"|docker://([^\s\"'`]*\bpause\b[^\s\"'`]*?):?(?:\s|$)"
)
_DRIVERS = (
    re.compile(r"driver name (\S+) not found in the list of registered CSI drivers"),
    re.compile(r"does not contain driver (\S+)"),
    re.compile(r"(?:external-attacher of|CSI driver) ([\w.-]+\.[\w.-]+)"),
)
_ABSENT_DRIVER = re.compile(r"not found in the list of registered|does not contain driver")
_MOUNTING = re.compile(
    r"error mounting|failed to (?:prepare subPath|mount|create subPath)|mountpoint|bind[- ]source"
    r"|invalid mount|subpath",
    re.I,
)
_NETWORK = re.compile(
    r"network|\bcni\b|plugin type=|ipam|failed to allocate|no addresses|IP address|calico|cilium"
    r"|flannel|veth",
    re.I,
)


def waiting_cause(reason: str, message: str, spec: WorkerSpec, image: str) -> Cause | None:
    """Return the cause in a container's waiting reason; None if the reason is not an error."""
    if reason in NO_ERROR:
        return None
    if reason in IMAGE_REASONS:
        return image_cause(reason, message, image or spec.image)
    if reason in START_REASONS:
        return start_cause(reason, message, spec, image)
    params = {"state": reason, "report": message.rstrip(".")}
    return Cause(says.NOT_STARTED, params, _raw(reason, message))


def start_cause(reason: str, message: str, spec: WorkerSpec, image: str) -> Cause:
    """Return why a container could not be created or run."""
    raw = _raw(reason, message)
    if found := _configured(message, raw):
        return found
    if _ROOT.search(message):
        return Cause(says.RUNS_AS_ROOT, {"image": image}, raw)
    if _MEMORY.search(message):
        return Cause(says.MEMORY_LIMIT_TOO_SMALL, {"image": image}, raw)
    if _MOUNTING.search(message):
        return mount_cause(reason, message, spec)
    if profile := _PROFILE.search(message):
        kind = _PROFILE_KINDS[profile[1].lower()]
        return Cause(says.PROFILE_MISSING, {"profile_kind": kind, "profile": profile[2]}, raw)
    if found := command_cause(message, raw, spec, image):
        return found
    if _NETWORK.search(message):
        return sandbox_cause(reason, message, "")
    return Cause(says.RUNTIME_FAILED, {"report": (message or reason).rstrip(".")}, raw)


def mount_cause(reason: str, message: str, spec: WorkerSpec) -> Cause:
    """Return why a volume cannot be attached or mounted."""
    raw = _raw(reason, message)
    if found := _configured(message, raw):
        return replace(found, cluster_reason=reason)
    if claim := _CLAIM.search(message):
        return missing_claim(claim[1], deleted="deleted" in claim[0])
    unmounted, named = _VOLUMES.search(message), _VOLUME.search(message)
    volume = (unmounted[1].replace(" ", ", ") if unmounted else "") or (named[1] if named else "")
    driver = next((match[1].rstrip(".,:") for p in _DRIVERS if (match := p.search(message))), "")
    if driver and _ABSENT_DRIVER.search(message):
        without, with_claim = says.DRIVER_MISSING
    elif "Multi-Attach" in message:
        without, with_claim = says.VOLUME_IN_USE
    elif reason == ATTACH_EVENT or "AttachVolume" in message:
        without, with_claim = says.NOT_ATTACHED
    else:
        without, with_claim = says.NOT_MOUNTED
    params = {"volume": volume, "driver": driver, "claim": spec.claim}
    return Cause(with_claim if spec.claims else without, params, raw, cluster_reason=reason)


def sandbox_cause(reason: str, message: str, node: str) -> Cause:
    """Return why a node cannot create the pod's sandbox: its network, or its container runtime."""
    raw = _raw(reason, message)
    if image := _SANDBOX_IMAGE.search(message):
        return _sandbox_image(next(name for name in image.groups() if name), message, raw, node)
    network = reason == "NetworkNotReady" or _NETWORK.search(message)
    return Cause(says.NETWORK_FAILED if network else says.SANDBOX_FAILED, {"node": node}, raw)


def _sandbox_image(image: str, message: str, raw: str, node: str) -> Cause:
    """Return the cause of a missing sandbox image (pause): the node sets it, not the worker."""
    pull = image_cause("ErrImagePull", message, image)
    unreachable = pull.category is FailureReason.REGISTRY_UNREACHABLE
    params = {"image": image, "node": node, "problem": pull.problem()}
    return Cause(says.SANDBOX_IMAGE_UNREACHABLE if unreachable else says.SANDBOX_IMAGE, params, raw)


def _configured(message: str, raw: str) -> Cause | None:
    """Return the cause of a missing secret or config map, or of a missing key in one."""
    for pattern, key_pattern, missing, key_missing in _MISSING:
        if whole := pattern.search(message):
            return Cause(missing, {"name": whole[1]}, raw)
        if part := key_pattern.search(message):
            name = part[2].rpartition("/")[2].rstrip(".,:")
            return Cause(key_missing, {"name": name, "key": part[1]}, raw)
    key = _ABSENT_KEY.search(message)
    if key is None:
        return None
    secret = key[1].lower() == "secret"
    found = says.SECRET_MOUNTED_KEY_MISSING if secret else says.CONFIG_MAP_MOUNTED_KEY_MISSING
    return Cause(found, {"key": key[2]}, raw)


def _raw(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason
