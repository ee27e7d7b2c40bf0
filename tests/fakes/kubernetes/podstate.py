"""State of one pod on its kubelet."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.kubernetes.ledger import PodLog, Run
from tests.fakes.kubernetes.resources import Key
from tests.fakes.kubernetes.scripts import PodScript


@dataclass(frozen=True, slots=True)
class Ending:
    """End of a container and the resulting pod status."""

    exit_code: int
    reason: str = "Error"
    message: str = ""
    pod_reason: str = ""
    pod_message: str = ""
    disrupted: str = ""  # the reason of a DisruptionTarget condition
    disrupted_message: str = ""


@dataclass(slots=True)
class PodState:
    """State of a pod by uid; it outlives the pod's object while a node is disconnected."""

    key: Key
    uid: str
    job: str
    script: PodScript
    node: str = ""
    scheduled_at: str = ""
    container_id: str = ""
    run: Run | None = None
    log: PodLog = field(default_factory=PodLog)
    ending: Ending | None = None
    tries: int = 0  # to pull its image
    pulling_since: float | None = None
    kill_by: float | None = None  # when its kubelet kills it
    removed: bool = False  # the API can remove it: it is deleted and its containers have ended
    sidecar_runs: bool = (
        False  # the worker's container has ended, and the sidecar keeps the pod running
    )
    missed: list[Callable[[], None]] = field(
        default_factory=list
        # reported to the API after the node reconnects
    )
