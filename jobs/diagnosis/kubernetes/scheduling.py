"""Why no node takes a worker: what the scheduler says, in the order of what a person can do about it. Pure.

The scheduler tells per reason how many nodes it ruled out: `0/5 nodes are available: 1 Insufficient cpu, 4 node(s) had untolerated taint
{gpu: true}. preemption: …`. A node is counted under the first filter that it fails, and room is looked at after taints, selectors and
affinity: so a lack of room is what bars the worker from the nodes it is meant for, whatever bars it from others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import (
    CPU,
    DISK,
    MEMORY,
    Asked,
    ever_fits,
    is_gpu,
    labelled,
    largest,
    offering,
    quantity,
    worded,
)
from jobs.diagnosis.kubernetes.reading import Object
from jobs.diagnosis.kubernetes.taints import blocking, is_control_plane, state_of, usable
from jobs.diagnosis.kubernetes.values import LESS, THEN_BY_ITSELF, Finding

_HEAD = re.compile(r"(\d+)/(\d+) nodes are available:?\s*")
_TAIL = re.compile(
    r"\.?\s*(?:no new claims to deallocate|preemption:|Preemption is not helpful|no new victims).*",
    re.S,
)
_PART = re.compile(r"^(\d+)\s+(.*)$", re.S)
_TAINT = re.compile(r"taint(?:\(s\))?\s*\{([^}]*)\}|taint \{([^}]*)\}")
_CLAIM_MISSING = re.compile(r'persistentvolumeclaim "([^"]+)" (?:not found|is being deleted)')
_CLASS_MISSING = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]+)" not found', re.I)
_UNBOUND = re.compile(
    r"unbound immediate PersistentVolumeClaims|waiting for (?:ephemeral volume controller|a volume to be created)|binding volumes"
    r"|provisioning failed",
    re.I,
)
_VOLUME = re.compile(
    r"volume node affinity|persistent volumes? to bind|volume zone|max volume count|available volume|non-existent p(?:v|ersistentvolume)"
    r"|ReadWriteOncePod|enough free storage|disk conflict|persistentvolumeclaim|PersistentVolume|volume limit",
    re.I,
)
_SELECTOR = re.compile(
    r"node affinity|node selector|node\(s\) didn't match (?:Pod's|the requested node)|node label",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Part:
    """What rules out `count` nodes; 0 where it is not about nodes."""

    count: int
    words: str

    def insufficient(self) -> str:
        """The resource that is short; empty where none is."""
        found = re.match(r"(?:Insufficient|Too many requests for) (\S+)", self.words)
        return found[1].rstrip(".") if found else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A scheduler's message, taken apart."""

    message: str
    node_count: int | None
    parts: tuple[Part, ...]


def read_verdict(message: str) -> Verdict:
    """What the scheduler said of how many nodes."""
    head = _HEAD.search(message)
    body = _TAIL.sub("", message[head.end() :] if head else message).strip().rstrip(".")
    parts = []
    for words in re.split(r",\s+(?=\d+ )|,\s+(?=persistentvolumeclaim |pod has )", body):
        found = _PART.match(words.strip())
        parts.append(Part(int(found[1][:9]), found[2].strip()) if found else Part(0, words.strip()))
    return Verdict(
        message, int(head[2][:9]) if head else None, tuple(part for part in parts if part.words)
    )


def unschedulable_finding(
    message: str, asked: Asked, nodes: Sequence[Object] | None, more: str = ""
) -> Finding:
    """Why the scheduler finds no node. `more`: what an autoscaler or a volume's provisioner said."""
    verdict = read_verdict(message)
    found = (
        _claim(verdict, asked, more)
        or _room(verdict, asked, nodes)
        or _place(verdict, asked, nodes)
        or _plain(verdict)
    )
    advice = f"{found.advice} {more}".strip() if more and more not in found.advice else found.advice
    return replace(found, advice=advice, raw=f"Unschedulable: {message}")


def _claim(verdict: Verdict, asked: Asked, more: str) -> Finding | None:
    missing = _CLAIM_MISSING.search(verdict.message)
    if missing:
        deleted = "is being deleted" in missing[0]
        return missing_claim(missing[1], deleted=deleted)
    claim = asked.claims[0] if asked.claims else ""
    named = f'claim "{claim}"' if claim else "claim"
    storage_class = _CLASS_MISSING.search(verdict.message)
    if storage_class:
        return Finding(
            FailureReason.VOLUME_UNBOUND,
            f'Waiting: the volume {named} has no volume, since its storage class "{storage_class[1]}" does not exist.',
            "An administrator has to create the storage class, or a volume for the claim.",
            "",
            ("Create the storage class", "Create a volume for the claim"),
            facts={"claim": claim, "storage_class": storage_class[1]},
            meanwhile=THEN_BY_ITSELF,
        )
    if _UNBOUND.search(verdict.message):
        return Finding(
            FailureReason.VOLUME_UNBOUND,
            f"Waiting: the volume {named} has no volume yet (unbound).",
            "An administrator has to give it a volume, or a storage class that makes one.",
            "",
            (
                "Give the claim a volume or a storage class",
                "Let workers run without the shared model cache",
            ),
            facts={"claim": claim},
            meanwhile=THEN_BY_ITSELF,
        )
    return None


def missing_claim(claim: str, *, deleted: bool = False) -> Finding:
    """The claim that is not there."""
    return Finding(
        FailureReason.MISSING_VOLUME_CLAIM,
        f'Waiting: the volume claim "{claim}" is {"being deleted" if deleted else "missing"}.',
        "An administrator has to create it in the workers' namespace, or to let workers run without the model cache.",
        f'persistentvolumeclaim "{claim}" {"is being deleted" if deleted else "not found"}',
        (f"Create the volume claim {claim}", "Let workers run without the shared model cache"),
        facts={"claim": claim},
        meanwhile=THEN_BY_ITSELF,
    )


_ROOM = {
    CPU: (FailureReason.UNSCHEDULABLE_CPU, "Add a node with more CPU"),
    MEMORY: (FailureReason.UNSCHEDULABLE_MEMORY, "Add a node with more memory"),
    DISK: (FailureReason.UNSCHEDULABLE_DISK, "Add a node with more ephemeral storage"),
}


def _room(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> Finding | None:
    short: dict[str, int] = {}
    for part in verdict.parts:
        if part.insufficient():
            short[part.insufficient()] = short.get(part.insufficient(), 0) + part.count
    gpu = next((name for name in short if is_gpu(name)), "")
    if gpu and not any("gpu" in taint.lower() for taint in _taints(verdict)):
        return _gpu(verdict, gpu, asked, nodes)
    known = [name for name in short if name in _ROOM]
    if not known:
        return None
    # What no node has comes first: waiting helps with the other.
    name = max(known, key=lambda each: (_never(each, asked, nodes), short[each], each == MEMORY))
    return _amount(verdict, name, asked, nodes)


def _never(resource: str, asked: Asked, nodes: Sequence[Object] | None) -> bool:
    amount = asked.requests.get(resource)
    return bool(nodes) and amount is not None and largest(nodes or (), resource) < quantity(amount)


def _amount(
    verdict: Verdict, resource: str, asked: Asked, every: Sequence[Object] | None
) -> Finding:
    category, step = _ROOM[resource]
    amount = asked.requests.get(resource)
    # A node that the worker may not be put on is none that could hold it. Where it may go to none, all are told.
    nodes = (
        (usable(every, asked.tolerations, asked.selector) or every) if every is not None else None
    )
    wanted = f"{worded(resource, amount)} free" if amount else f"enough {resource} free"
    size = (
        f" (largest node: {worded(resource, largest(nodes, resource)).partition(' of ')[0]})"
        if nodes
        else ""
    )
    if _never(resource, asked, nodes):
        advice = "Even an empty node is too small: it starts only once a larger node is added. Ask for less, or have one added."
    elif nodes and asked.requests and not ever_fits(nodes, asked.requests):
        advice = "No node is large enough for all that it asks for together. Ask for less, or have a larger node added."
    else:
        advice = "It starts once a node has room. Ask for less, or have a node added."
    return Finding(
        category,
        f"Waiting: no node has {wanted}{size}. {_counts(verdict)}",
        f"{advice}{_beside(verdict, asked, every)}",
        "",
        (LESS, step),
        facts={
            "asked": amount,
            "resource": resource,
            "largest": largest(nodes, resource) if nodes else None,
            "never_fits": True
            if nodes and asked.requests and not ever_fits(nodes, asked.requests)
            else None,
            "nodes": verdict.node_count,
        },
    )


def _beside(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> str:
    """What keeps the worker off the nodes with room, as a further sentence."""
    taints = _named_taints(verdict, asked, nodes)
    words = _taint_words(taints)
    if not words:
        return ""
    chosen = [taint for taint in taints if not state_of(taint) and not is_control_plane(taint)]
    also = (
        " With a toleration for the taint in the cluster's row it can use those nodes, too."
        if chosen
        else ""
    )
    return f" Other {words}.{also}"


def _gpu(verdict: Verdict, resource: str, asked: Asked, nodes: Sequence[Object] | None) -> Finding:
    amount = asked.requests.get(resource)
    wanted = f"{worded(resource, amount)}" if amount else resource
    several = "a GPU" if quantity(amount or 1) == 1 else f"{quantity(amount):.4g} GPUs"
    if nodes is None:
        who = f"no node has {wanted} free"
    elif offering(nodes, resource) == 0:
        who = f"no node has one (0 of {len(nodes)} nodes offer {resource})"
    elif _never(resource, asked, nodes):
        who = f"no node has {wanted} (largest node: {largest(nodes, resource):.4g})"
    else:
        who = f"{offering(nodes, resource)} of {len(nodes)} nodes offer {resource}, and none has {wanted} free"
    return Finding(
        FailureReason.UNSCHEDULABLE_GPU,
        f"Waiting for {several}: {who}. {_counts(verdict)}",
        "Run it without a GPU, or have a GPU node added, or its device plugin installed.",
        "",
        (
            {"label": "Run without a GPU", "patch": {"resources": {"gpu": 0}}},
            "Add a GPU node or its device plugin",
        ),
        facts={
            "asked": amount,
            "resource": resource,
            "offering": offering(nodes, resource) if nodes is not None else None,
            "never_fits": True if _never(resource, asked, nodes) else None,
            "nodes": verdict.node_count,
        },
    )


def _place(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> Finding | None:
    """The wrong kind of place: a volume that is elsewhere, a label that no node has, a taint."""
    if any(_VOLUME.search(part.words) for part in verdict.parts):
        return _volume(verdict, asked)
    if any(_SELECTOR.search(part.words) for part in verdict.parts):
        return _selector(verdict, asked, nodes)
    return (
        _taint(verdict, asked, nodes)
        if any("taint" in part.words for part in verdict.parts)
        else None
    )


def _volume(verdict: Verdict, asked: Asked) -> Finding:
    claim = asked.claims[0] if asked.claims else ""
    named = f' (claim "{claim}")' if claim else ""
    return Finding(
        FailureReason.UNSCHEDULABLE_VOLUME,
        f"Waiting: no node can have its volume{named}. {_counts(verdict)}",
        "The volume is bound to a place (a node or a zone) where the worker finds no room, or no node takes one more volume. An administrator"
        " has to make room there, or to use a volume that every node can mount.",
        "",
        (
            "Make room where the volume is",
            "Use a volume that every node can mount (ReadWriteMany)",
            "Let workers run without the shared model cache",
        ),
        facts={"claim": claim, "nodes": verdict.node_count},
    )


def _selector(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> Finding:
    label = ", ".join(
        f"{name}={value}" if value else name for name, value in sorted(asked.selector.items())
    )
    if not label:
        who = "no node matches its node selector or affinity"
    elif nodes is not None and labelled(nodes, asked.selector):
        who = f"the nodes that have the label {label} cannot take it"
    else:
        who = f"no node has the label {label}"
    return Finding(
        FailureReason.UNSCHEDULABLE_SELECTOR,
        f"Waiting: {who}. {_counts(verdict)}",
        "An administrator has to label a node, or to correct the node selector of the cluster's row.",
        "",
        (
            f"Label a node with {label}" if label else "Label a node",
            "Correct the cluster's node selector",
        ),
        facts={"selector": label, "nodes": verdict.node_count},
    )


def _taints(verdict: Verdict) -> list[str]:
    """The taints the scheduler names, as `key: value`."""
    found = [
        match[1] or match[2] or ""
        for part in verdict.parts
        for match in _TAINT.finditer(part.words)
    ]
    return list(dict.fromkeys(taint.strip().rstrip(":").strip() for taint in found))


def _named_taints(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> list[str]:
    """The taints in the way: those the scheduler names, else (it does not from 1.34 on) those of the nodes, where these may be read."""
    named = _taints(verdict)
    if named or not any("taint" in part.words for part in verdict.parts):
        return named
    return list(
        dict.fromkeys(taint for node in nodes or () for taint in blocking(node, asked.tolerations))
    )[:5]


def _taint_words(taints: Sequence[str]) -> str:
    """What the nodes with these taints are, or have."""
    states = list(dict.fromkeys(state for taint in taints if (state := state_of(taint))))
    chosen = [taint for taint in taints if not state_of(taint)]
    have = (
        f"nodes have the taint {', '.join(f'{{{taint}}}' for taint in chosen)}, which the worker does not tolerate"
        if chosen
        else ""
    )
    return " and ".join(
        part for part in (f"nodes are {', '.join(states)}" if states else "", have) if part
    )


def _taint(verdict: Verdict, asked: Asked, nodes: Sequence[Object] | None) -> Finding:
    taints = _named_taints(verdict, asked, nodes)
    chosen = [taint for taint in taints if not state_of(taint) and not is_control_plane(taint)]
    passes = any(state_of(taint) for taint in taints)
    steps: tuple[str, ...] = ("Look at the nodes and their taints",)
    if passes:
        advice = "It starts by itself once a node is well again, or a new one is ready. An administrator should look at the nodes, if it stays so."
        steps = ("Look at the nodes, if it stays so",)
        if chosen:
            advice += " The other nodes are reserved by their taint."
    elif chosen:
        advice = (
            "An administrator has to add a toleration to the cluster's row, or to remove the taint."
        )
        steps = ("Give the cluster a toleration for the taint", "Remove the taint from a node")
    elif taints:
        advice = "These nodes are reserved for the cluster's control plane. An administrator has to add a node for workers."
        steps = ("Add a node for workers",)
    else:
        advice = (
            "The cluster does not say which taints. A node that is not ready, or about to be removed, has one for as long as that lasts; others"
            " were chosen by a person. An administrator should look at the nodes (kubectl describe nodes)."
        )
    return Finding(
        FailureReason.UNSCHEDULABLE_TAINT,
        f"Waiting: {_taint_words(taints) or 'the nodes have taints that keep the worker away'}. {_counts(verdict)}",
        advice,
        "",
        steps,
        facts={"taints": ", ".join(taints), "nodes": verdict.node_count},
    )


_PLAIN = (
    ("no nodes available", "the cluster has no node", "Add a node"),
    (
        "were unschedulable",
        "the nodes are cordoned (closed to new pods)",
        "Open a node again (kubectl uncordon)",
    ),
    ("Too many pods", "the nodes hold as many pods as they may", "Add a node"),
    (
        "topology spread",
        "a topology spread constraint forbids it",
        "Change the constraint, or add a node",
    ),
    ("anti-affinity", "a pod anti-affinity rule forbids it", "Change the rule, or add a node"),
    ("pod affinity", "a pod affinity rule is not met", "Change the rule"),
    ("free ports", "the ports it asks for are taken", "Free the ports"),
    ("scheduling gates", "a scheduling gate holds it back", "Remove the gate"),
)


def _plain(verdict: Verdict) -> Finding:
    for words, why, step in _PLAIN:
        if words.lower() in verdict.message.lower():
            return Finding(
                FailureReason.UNSCHEDULABLE,
                f"Waiting: no node takes the worker, since {why}. {_counts(verdict)}",
                "It starts by itself once that has changed.",
                "",
                (step,),
                facts={"nodes": verdict.node_count},
            )
    short = ", ".join(
        dict.fromkeys(part.insufficient() for part in verdict.parts if part.insufficient())
    )
    why = f"no node has enough {short} free" if short else f"the scheduler says: {verdict.message}"
    return Finding(
        FailureReason.UNSCHEDULABLE,
        f"Waiting: {why}.",
        "It starts by itself once a node takes it. An administrator should look at what the scheduler says.",
        "",
        ("Look at the nodes and at what the scheduler says",),
        facts={"nodes": verdict.node_count},
    )


def _counts(verdict: Verdict) -> str:
    """What the scheduler said of how many nodes, where it is more than one thing."""
    if len(verdict.parts) < 2 and (verdict.node_count or 0) < 2:
        return ""
    told = "; ".join(
        f"{part.count} × {part.words}" if part.count else part.words for part in verdict.parts[:6]
    )
    return f"Of {verdict.node_count} nodes: {told}." if verdict.node_count is not None else ""
