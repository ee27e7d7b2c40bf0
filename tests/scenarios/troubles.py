"""Troubles of scenarios, and the phases in which they begin.

`test_scenarios` checks that all faults of the fake are here.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import ON_EVENTS, Fault
from tests.fakes.kubernetes.scripts import Act


class Phase(StrEnum):
    """Phase of an attempt in which its trouble begins."""

    BEFORE_CREATE = "before create"
    UNRECORDED = "created but unrecorded"
    UNCLAIMED = "unclaimed"
    RUNNING = "running"
    FINISHING = "finishing"
    SEALING = "sealing"
    CLEANING = "cleaning"


class Deed(StrEnum):
    """Event in a cluster other than a request fault or a container's end."""

    NODE_LOST = "node lost"
    NODE_BACK = "node lost and back"
    NODE_GONE = "node gone"
    DELETE_JOB = "job deleted by hand"
    DELETE_JOB_FOREGROUND = "job deleted by hand, foreground"
    DELETE_JOB_ORPHAN = "job deleted by hand, its pod left"
    COMPACT = "history compacted"
    WATCHES_CUT = "watches cut"
    WATCHES_END = "watches ended"
    WATCHES_GONE = "watches gone"
    WATCHES_SILENT = "watches silent"
    CLUSTER_AWAY = "cluster lost, workers silent"
    CLUSTER_BACK = "cluster lost and back, silent"
    API_AWAY = "API server lost, workers heard"


Trouble = Fault | Act | Deed
TROUBLES: tuple[Trouble, ...] = (*Fault, *(act for act in Act if act is not Act.START), *Deed)
OF_WATCHES = frozenset(
    {
        *ON_EVENTS,
        Fault.WATCH_REFUSED,
        Deed.COMPACT,
        Deed.WATCHES_CUT,
        Deed.WATCHES_END,
        Deed.WATCHES_GONE,
        Deed.WATCHES_SILENT,
    }
)
OF_NODES = frozenset({Deed.NODE_LOST, Deed.NODE_BACK, Deed.NODE_GONE})
OF_CLUSTERS = frozenset(
    {Deed.CLUSTER_AWAY, Deed.CLUSTER_BACK, Deed.API_AWAY}
)  # each such job has its own cluster
PERMANENT = frozenset({Deed.CLUSTER_AWAY, Deed.API_AWAY})
_WATCHES = {
    Deed.WATCHES_CUT: "cut",
    Deed.WATCHES_END: "end",
    Deed.WATCHES_GONE: "gone",
    Deed.WATCHES_SILENT: "silence",
}
_DELETIONS = {
    Deed.DELETE_JOB: "Background",
    Deed.DELETE_JOB_FOREGROUND: "Foreground",
    Deed.DELETE_JOB_ORPHAN: "Orphan",
}
LOST_SECONDS = 900.0  # until a node returns
AWAY_SECONDS = 3000.0  # until a cluster returns, long after the grace period


@dataclass(slots=True)
class Order:
    """A trouble that has begun for one worker."""

    trouble: Trouble
    worker: str
    node: str
    at: float
    over: bool = False


def begin(fake: FakeKubernetes, order: Order, phase: Phase, dice: random.Random) -> None:
    """Start the trouble."""
    trouble = order.trouble
    if isinstance(trouble, Fault):
        _fault(fake, trouble, order.worker, phase, dice)
    elif isinstance(trouble, Act):
        fake.act(
            order.worker,
            trouble,
            exit_code=dice.choice([0, 1, 3, 137]) if trouble is Act.EXIT else 0,
        )
    elif trouble in OF_NODES:
        _node(fake, trouble, order.node, dice)
    elif trouble in _DELETIONS:
        fake.delete_job(order.worker, policy=_DELETIONS[trouble])
    elif trouble is Deed.COMPACT:
        fake.compact()
    else:
        fake.watches(_WATCHES[trouble])


def go_on(fake: FakeKubernetes, order: Order) -> None:
    """Apply the later effect of a trouble."""
    if order.trouble is Deed.NODE_BACK and not order.over and fake.now - order.at > LOST_SECONDS:
        order.over = True
        fake.node_back(order.node)


def _node(fake: FakeKubernetes, trouble: Trouble, node: str, dice: random.Random) -> None:
    if trouble is Deed.NODE_GONE:
        fake.node_gone(node)
    else:
        fake.node_lost(node, toleration_seconds=dice.choice([30.0, 300.0]))


def _fault(
    fake: FakeKubernetes, fault: Fault, worker: str, phase: Phase, dice: random.Random
) -> None:
    """Apply the fault to the next requests about this worker, or to requests of the whole cluster.

    Before the create it affects the create, later lists and deletes.
    """
    seconds = (
        0.01
        if fault in (Fault.LATENCY, Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT)
        else float(dice.choice([1, 30, 400]))
    )
    count = dice.choice([1, 1, 2, 5])
    if fault in OF_WATCHES:
        fake.fault(fault, count=1, seconds=0.05)
    elif fault in (Fault.LIST_STALE, Fault.LIST_GONE):
        fake.fault(fault, count=count, seconds=0, changes=dice.choice([1, 5, 50]))
    elif phase is Phase.BEFORE_CREATE:
        fake.fault(
            fault,
            verb="create",
            resource="jobs",
            name=worker,
            count=count,
            seconds=seconds,
            answer=_answer(dice),
        )
    elif dice.random() < 0.5 and fault is not Fault.LATE_COMMIT:
        fake.fault(fault, verb="list", count=count, seconds=seconds)
    else:
        fake.fault(fault, name=f"{worker}*", count=count, seconds=seconds, answer=_answer(dice))


def _answer(dice: random.Random) -> Fault:
    return dice.choice([Fault.DROP_BEFORE_COMMIT, Fault.ERROR_BEFORE_COMMIT, Fault.FORBIDDEN])
