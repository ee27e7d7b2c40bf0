"""What the events of a pod come to: the trouble that is not over yet. Pure.

An event stays for an hour after what it told of has passed, so that each is read in its order: what follows may end it.
"""

import re
from collections.abc import Sequence

from jobs.launchers.diagnosis.amounts import Asked
from jobs.launchers.diagnosis.images import IMAGE_REASONS, PULLING, image_finding, image_named, pulling_finding
from jobs.launchers.diagnosis.reading import Event, Object
from jobs.launchers.diagnosis.scheduling import unschedulable_finding
from jobs.launchers.diagnosis.starting import MOUNT_EVENTS, SANDBOX_EVENTS, mount_finding, sandbox_finding, start_finding
from jobs.launchers.diagnosis.values import Finding

PROGRESS = frozenset({"Pulled", "Created", "Started"})
_AUTOSCALER = frozenset({"TriggeredScaleUp", "NotTriggerScaleUp", "Nominated"})
_CLAIM_EVENTS = frozenset({"FailedBinding", "ProvisioningFailed", "ExternalProvisioning", "WaitForFirstConsumer", "Provisioning"})
_PULL = re.compile(r'^Failed to pull image "[^"]*": (.*)$', re.S)
_NODE = re.compile(r"Successfully assigned \S+ to (\S+)")


def trouble(events: Sequence[Event], asked: Asked, image: str, *, nodes: Sequence[Object] | None, more: str) -> Finding | None:
    """What keeps the pod of `events` (the oldest first) from running; None when nothing does."""
    found: Finding | None = None
    from_image = False  # a failed pull is over only when one worked: the kubelet says "Pulling" at each new try
    node = ""
    for event in events:
        if event.reason == "Scheduled":
            found, node = None if found and found.raw.startswith("Unschedulable") else found, node_named(event.message)
        elif event.reason in PROGRESS:
            found, from_image = None, False
        elif event.reason == "FailedScheduling":
            found = unschedulable_finding(event.message, asked, nodes, more)
        elif event.reason == "Pulling":
            found = found if from_image else pulling_finding(event.message, image_named(event.message) or image)
        elif event.reason in MOUNT_EVENTS:
            found = mount_finding(event.reason, event.message, asked)
        elif event.reason == "SuccessfulAttachVolume":
            found = None if found and found.raw.startswith("FailedAttachVolume") else found
        elif event.reason in SANDBOX_EVENTS:
            found = sandbox_finding(event.reason, event.message, node)
        else:
            failed = _failed(event, asked, image, known=found if from_image else None)
            found, from_image = (failed, failed.raw.partition(":")[0] in IMAGE_REASONS) if failed else (found, from_image)
    return found


def _failed(event: Event, asked: Asked, image: str, known: Finding | None) -> Finding | None:
    """A container that the kubelet could not make. The words of `known`, a failed pull, stay: what follows it only repeats that it failed."""
    image = image_named(event.message) or image
    if event.reason in ("InspectFailed", "ErrImageNeverPull"):
        reason = event.reason
        if reason == "InspectFailed":
            reason = "InvalidImageName" if "parse image name" in event.message else "ImageInspectError"
        return image_finding(reason, event.message, image)
    if event.reason != "Failed":
        return None
    pull = _PULL.match(event.message)
    if pull:
        return image_finding("ErrImagePull", event.message, image)
    words = event.message.removeprefix("Error: ")
    if words in IMAGE_REASONS:
        return known or image_finding(words, "", image)
    return start_finding("Failed", words, asked, image) if words and words != event.message else None


def pull_words(events: Sequence[Event]) -> str:
    """Why the last pull failed: a kubelet before 1.31 does not repeat it while it waits for the next try."""
    return next((event.message for event in reversed(events) if event.reason == "Failed" and _PULL.match(event.message)), "")


def needs_pull_words(reason: str, message: str) -> bool:
    """Whether a waiting reason says that a pull failed, and not why."""
    return reason in PULLING and re.fullmatch(r'(?:Back-off pulling image "[^"]*")?\.?', message.strip()) is not None


def node_named(message: str) -> str:
    """The node of a Scheduled event."""
    found = _NODE.search(message)
    return found[1] if found else ""


def scaling_words(events: Sequence[Event], claims: Sequence[Event]) -> str:
    """What an autoscaler and a volume's provisioner said last."""
    scaling = next((event for event in reversed(events) if event.reason in _AUTOSCALER), None)
    claim = next((event for event in reversed(claims) if event.reason in _CLAIM_EVENTS), None)
    told = []
    if scaling and scaling.reason == "NotTriggerScaleUp":
        told.append(f"The node autoscaler adds no node: {scaling.message.partition(': ')[2] or scaling.message}.")
    elif scaling:
        told.append("The node autoscaler is adding a node.")
    if claim:
        told.append(f"Of the claim it is said: {claim.message.rstrip('.')}.")
    return " ".join(told)
