"""What the events of a pod come to: the trouble that is not over yet. Pure.

An event stays for an hour after what it told of has passed, so that each is read in its order: what follows may end it.
"""

import re
from collections.abc import Sequence

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import Asked
from jobs.diagnosis.kubernetes.images import (
    IMAGE_REASONS,
    PULLING,
    image_finding,
    image_named,
    pulling_finding,
)
from jobs.diagnosis.kubernetes.reading import Event, Object
from jobs.diagnosis.kubernetes.scheduling import unschedulable_finding
from jobs.diagnosis.kubernetes.starting import (
    MOUNT_EVENTS,
    SANDBOX_EVENTS,
    mount_finding,
    sandbox_finding,
    start_finding,
)
from jobs.diagnosis.kubernetes.values import QUOTED_MAX, Finding, clean

PROGRESS = frozenset({"Pulled", "Created", "Started"})
_ADDS = frozenset({"TriggeredScaleUp", "Nominated"})
_AUTOSCALER = _ADDS | {
    "NotTriggerScaleUp",
    "FailedScaleUp",
    "FailedToScaleUpGroup",
    "ScaleUpFailed",
    "ScaleUpTimedOut",
}
_AUTOSCALERS = ("karpenter", "autoscaler", "provisioner")
_KARPENTER = re.compile(
    r"^(?:Failed to schedule pod|Could not schedule pod)|nodepool|incompatible with provisioner|instance type",
    re.I,
)
_SAYS_NO = re.compile(
    r"pod didn't trigger scale-up(?: \([^)]*\))?: ?|(?:Failed to|Could not) schedule pod, ?", re.I
)
_CLAIM_EVENTS = frozenset(
    {
        "FailedBinding",
        "ProvisioningFailed",
        "ExternalProvisioning",
        "WaitForFirstConsumer",
        "Provisioning",
    }
)
_NO_CAUSE = frozenset({FailureReason.STARTING, FailureReason.IMAGE_PULLING})
_BARE = re.compile(
    r"timed out waiting for the condition|timeout expired waiting for volumes|context deadline exceeded|DeadlineExceeded|context canceled"
    r"|failed to reserve (?:sandbox|container) name|is reserved for|name is already in use|operation timeout|Back-off restarting",
    re.I,
)
_CAUSE = re.compile(
    r"not found|denied|refused|no such|forbidden|unauthorized|driver|x509|permission|already exclusively|lookup |dial tcp|failed to pull",
    re.I,
)
_PULL = re.compile(r'^Failed to pull image "[^"]*": (.*)$', re.S)
_NODE = re.compile(r"Successfully assigned \S+ to (\S+)")


def trouble(
    events: Sequence[Event], asked: Asked, image: str, *, nodes: Sequence[Object] | None, more: str
) -> Finding | None:
    """What keeps the pod of `events` (the oldest first) from running; None when nothing does."""
    found: Finding | None = None
    from_image = False  # a failed pull is over only when one worked: the kubelet says "Pulling" at each new try
    node = ""
    for event in events:
        if event.reason == "Scheduled":
            found, node = (
                None if found and found.raw.startswith("Unschedulable") else found,
                node_named(event.message),
            )
        elif event.reason in PROGRESS:
            found, from_image = None, False
        elif is_autoscaler(event):
            continue
        elif event.reason == "FailedScheduling":
            found = unschedulable_finding(event.message, asked, nodes, more)
        elif event.reason == "Pulling":
            found = (
                found
                if from_image
                else pulling_finding(event.message, image_named(event.message) or image)
            )
        elif event.reason in MOUNT_EVENTS:
            found = (
                found
                if _repeats(event, found)
                else mount_finding(event.reason, event.message, asked)
            )
        elif event.reason == "SuccessfulAttachVolume":
            found = None if found and found.raw.startswith("FailedAttachVolume") else found
        elif event.reason in SANDBOX_EVENTS:
            found = (
                found
                if _repeats(event, found)
                else sandbox_finding(event.reason, event.message, node)
            )
        else:
            failed = _failed(event, asked, image, known=found if from_image else None)
            found, from_image = (
                (failed, failed.raw.partition(":")[0] in IMAGE_REASONS)
                if failed
                else (found, from_image)
            )
    return found


def _failed(event: Event, asked: Asked, image: str, known: Finding | None) -> Finding | None:
    """A container that the kubelet could not make. The words of `known`, a failed pull, stay: what follows it only repeats that it failed."""
    image = image_named(event.message) or image
    if event.reason in ("InspectFailed", "ErrImageNeverPull"):
        reason = event.reason
        if reason == "InspectFailed":
            reason = (
                "InvalidImageName" if "parse image name" in event.message else "ImageInspectError"
            )
        return image_finding(reason, event.message, image)
    if event.reason != "Failed":
        return None
    pull = _PULL.match(event.message)
    if pull:
        return image_finding("ErrImagePull", event.message, image)
    words = event.message.removeprefix("Error: ")
    if words in IMAGE_REASONS:
        return known or image_finding(words, "", image)
    if known is not None and is_bare(words):
        return known
    return (
        start_finding("Failed", words, asked, image) if words and words != event.message else None
    )


def is_bare(message: str) -> bool:
    """Whether a message says only that a time-out passed or that an earlier try is still at work: no cause, so that a known one stays."""
    return _BARE.search(message) is not None and not _CAUSE.search(message)


def _repeats(event: Event, found: Finding | None) -> bool:
    """Whether an event of a volume or a sandbox only says that the trouble which is known goes on."""
    return found is not None and found.category not in _NO_CAUSE and is_bare(event.message)


def start_words(events: Sequence[Event]) -> str:
    """Why the container could not be made, of an earlier try: a later one may say only that the first is still at work."""
    words = (
        event.message.removeprefix("Error: ")
        for event in reversed(events)
        if event.reason == "Failed"
    )
    return next((each for each in words if each not in IMAGE_REASONS and not is_bare(each)), "")


def pull_words(events: Sequence[Event]) -> str:
    """Why the last pull failed: a kubelet before 1.31 does not repeat it while it waits for the next try."""
    return next(
        (
            event.message
            for event in reversed(events)
            if event.reason == "Failed" and _PULL.match(event.message)
        ),
        "",
    )


def needs_pull_words(reason: str, message: str) -> bool:
    """Whether a waiting reason says that a pull failed, and not why."""
    return (
        reason in PULLING
        and re.fullmatch(r'(?:Back-off pulling image "[^"]*")?\.?', message.strip()) is not None
    )


def node_named(message: str) -> str:
    """The node of a Scheduled event."""
    found = _NODE.search(message)
    return found[1] if found else ""


def is_autoscaler(event: Event) -> bool:
    """Whether a node autoscaler reports it. Karpenter's refusals have the scheduler's reason."""
    if event.reason in _AUTOSCALER:
        return True
    if event.reason != "FailedScheduling":
        return False
    if any(name in event.reporter.lower() for name in _AUTOSCALERS):
        return True
    return (
        "nodes are available" not in event.message and _KARPENTER.search(event.message) is not None
    )


def scaling_words(events: Sequence[Event], claims: Sequence[Event]) -> str:
    """What an autoscaler and a volume's provisioner said last."""
    scaling = next((event for event in reversed(events) if is_autoscaler(event)), None)
    claim = next((event for event in reversed(claims) if event.reason in _CLAIM_EVENTS), None)
    told = []
    if scaling and scaling.reason in _ADDS:
        told.append("The node autoscaler is adding a node.")
    elif scaling:
        told.append(
            f"The node autoscaler adds no node: {clean(_refusal(scaling.message), QUOTED_MAX).rstrip('.')}."
        )
    if claim:
        told.append(f"The volume claim reports: {clean(claim.message, QUOTED_MAX).rstrip('.')}.")
    return " ".join(told)


def _refusal(message: str) -> str:
    """Why an autoscaler adds no node, without the words that only say so."""
    found = _SAYS_NO.match(message)
    return (message[found.end() :] if found else message).strip() or message
