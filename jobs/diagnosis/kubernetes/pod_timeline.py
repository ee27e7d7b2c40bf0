"""Events of a pod in their order, and the problem that they leave unsolved. Pure.

A cluster keeps an event for some time (an hour by default), even if its problem is solved. A later
event can solve the problem of an earlier one, so they are read in order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import placement as says
from jobs.diagnosis.kubernetes.cause import QUOTED_MAX, Cause, clean
from jobs.diagnosis.kubernetes.objects import Event, Object
from jobs.diagnosis.kubernetes.rules_image import (
    IMAGE_REASONS,
    PULLING,
    image_cause,
    image_named,
    pulling_cause,
)
from jobs.diagnosis.kubernetes.rules_placement import UNSCHEDULABLE, placement_cause
from jobs.diagnosis.kubernetes.rules_start import (
    ATTACH_EVENT,
    MOUNT_EVENTS,
    SANDBOX_EVENTS,
    mount_cause,
    sandbox_cause,
    start_cause,
)
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec
from jobs.diagnosis.message import render

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
    r"^(?:Failed to schedule pod|Could not schedule pod)|nodepool|incompatible with provisioner"
    r"|instance type",
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
_NO_ERROR = frozenset({FailureReason.STARTING, FailureReason.IMAGE_PULLING})
_BARE = re.compile(
    r"timed out waiting for the condition|timeout expired waiting for volumes"
    r"|context deadline exceeded|DeadlineExceeded|context canceled"
    r"|failed to reserve (?:sandbox|container) name|is reserved for|name is already in use"
    r"|operation timeout|Back-off restarting",
    re.I,
)
_CAUSE = re.compile(
    r"not found|denied|refused|no such|forbidden|unauthorized|driver|x509|permission"
    r"|already exclusively|lookup |dial tcp|failed to pull",
    re.I,
)
_PULL = re.compile(r'^Failed to pull image "[^"]*": (.*)$', re.S)
_BACK_OFF = re.compile(r'(?:Back-off pulling image "[^"]*")?\.?')
_NODE = re.compile(r"Successfully assigned \S+ to (\S+)")
_ERROR = "Error: "  # a kubelet writes it before the reason of a failed container


@dataclass(slots=True)
class PodTimeline:
    """The unsolved problem of one pod while its events are read, oldest first.

    `from_image`: the problem is a failed pull. Only a successful pull solves it: the kubelet
    reports "Pulling" at each retry.
    """

    spec: WorkerSpec
    image: str
    nodes: Sequence[Object] | None
    notes: tuple[str, ...]
    problem: Cause | None = None
    from_image: bool = False
    node: str = ""

    def read(self, event: Event) -> None:
        """Apply one event."""
        if event.reason in PROGRESS:
            self.problem, self.from_image = None, False
        elif event.reason == "Scheduled":
            self._end(UNSCHEDULABLE)
            self.node = node_named(event.message)
        elif event.reason == "SuccessfulAttachVolume":
            self._end(ATTACH_EVENT)
        elif not is_autoscaler(event):
            self._read_problem(event)

    def _end(self, cluster_reason: str) -> None:
        if self.problem is not None and self.problem.cluster_reason == cluster_reason:
            self.problem = None

    def _read_problem(self, event: Event) -> None:
        reason, message = event.reason, event.message
        if reason == "FailedScheduling":
            self.problem = placement_cause(message, self.spec, self.nodes, self.notes)
        elif reason == "Pulling":
            if not self.from_image:
                self.problem = pulling_cause(message, image_named(message) or self.image)
        elif reason in MOUNT_EVENTS:
            if not self._repeats(message):
                self.problem = mount_cause(reason, message, self.spec)
        elif reason in SANDBOX_EVENTS:
            if not self._repeats(message):
                self.problem = sandbox_cause(reason, message, self.node)
        elif failed := self._failed(event):
            self.problem, self.from_image = failed, failed.cluster_reason in IMAGE_REASONS

    def _repeats(self, message: str) -> bool:
        """Whether an event of a volume or a sandbox adds no cause to the known problem."""
        known = self.problem
        return known is not None and known.category not in _NO_ERROR and is_bare(message)

    def _failed(self, event: Event) -> Cause | None:
        """Return why the kubelet could not create a container.

        A known failed pull stays: the events after it only repeat that it failed.
        """
        image = image_named(event.message) or self.image
        known = self.problem if self.from_image else None
        if event.reason == "ErrImageNeverPull":
            return image_cause(event.reason, event.message, image)
        if event.reason == "InspectFailed":
            invalid = "parse image name" in event.message
            reason = "InvalidImageName" if invalid else "ImageInspectError"
            return image_cause(reason, event.message, image)
        if event.reason != "Failed":
            return None
        if _PULL.match(event.message):
            return image_cause("ErrImagePull", event.message, image)
        error = event.message.removeprefix(_ERROR)
        if error in IMAGE_REASONS:
            return known or image_cause(error, "", image)
        if known is not None and is_bare(error):
            return known
        found = error and error != event.message
        return start_cause("Failed", error, self.spec, image) if found else None


def is_bare(message: str) -> bool:
    """Whether a message gives no cause: a timeout, or an earlier try that still runs."""
    return _BARE.search(message) is not None and not _CAUSE.search(message)


def start_error(events: Sequence[Event]) -> str:
    """Return the last cause for which a container could not be created; empty for none.

    A later event may report only that an earlier try still runs.
    """
    errors = (
        event.message.removeprefix(_ERROR) for event in reversed(events) if event.reason == "Failed"
    )
    return next((each for each in errors if each not in IMAGE_REASONS and not is_bare(each)), "")


def pull_error(events: Sequence[Event]) -> str:
    """Return the message of the last failed pull: kubelets before 1.31 do not repeat it."""
    failed = (
        event.message
        for event in reversed(events)
        if event.reason == "Failed" and _PULL.match(event.message)
    )
    return next(failed, "")


def lacks_pull_error(reason: str, message: str) -> bool:
    """Whether a waiting reason reports a failed pull without its cause."""
    return reason in PULLING and _BACK_OFF.fullmatch(message.strip()) is not None


def node_named(message: str) -> str:
    """Return the node of a Scheduled event."""
    found = _NODE.search(message)
    return found[1] if found else ""


def is_autoscaler(event: Event) -> bool:
    """Whether a node autoscaler reports `event`. Karpenter also uses the scheduler's reason."""
    if event.reason in _AUTOSCALER:
        return True
    if event.reason != "FailedScheduling":
        return False
    if any(name in event.reporter.lower() for name in _AUTOSCALERS):
        return True
    return (
        "nodes are available" not in event.message and _KARPENTER.search(event.message) is not None
    )


def scaling_notes(events: Sequence[Event], claims: Sequence[Event]) -> tuple[str, ...]:
    """Return the last reports of an autoscaler and of a volume's provisioner, as sentences."""
    scaling = next((event for event in reversed(events) if is_autoscaler(event)), None)
    claim = next((event for event in reversed(claims) if event.reason in _CLAIM_EVENTS), None)
    found = []
    if scaling and scaling.reason in _ADDS:
        found.append(says.AUTOSCALER_ADDS)
    elif scaling:
        found.append(_note(says.AUTOSCALER_REFUSES, _refusal(scaling.message)))
    if claim:
        found.append(_note(says.CLAIM_REPORTS, claim.message))
    return tuple(found)


def _note(template: str, report: str) -> str:
    return render(template, {"report": clean(report, QUOTED_MAX).rstrip(".")})


def _refusal(message: str) -> str:
    """Return an autoscaler's reason for adding no node, without its introductory phrase."""
    found = _SAYS_NO.match(message)
    return (message[found.end() :] if found else message).strip() or message
